"""Motion data: clips, cameras, simulated detections, views, windows."""
