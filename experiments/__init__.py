"""Thin absl mains and their configurations; the only place that joins the two packages."""
