"""Keypoints of a user's video: files of detectors become one person in H36M's 17 joints, px."""
