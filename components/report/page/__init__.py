"""The report as a page: one HTML file by itself, without outside resources, for people to read."""

from components.report.page.rendering import render, render_comparison

__all__ = ["render", "render_comparison"]
