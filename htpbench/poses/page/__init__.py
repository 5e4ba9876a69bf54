"""Tracks as one HTML file: what it holds, its templates, and what fills them."""
