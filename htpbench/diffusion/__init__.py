"""Diffusion: samplers around a denoising lifter, what becomes of hypotheses, DiffPose's refiner."""
