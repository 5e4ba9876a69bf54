"""Lifted poses: what they are, as files, as a page and as a picture."""
