"""What the schemes of Human3.6M share: recordings, detections, cameras, what is left out."""
