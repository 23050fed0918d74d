"""The page of a report: one self-contained HTML file."""

from components.report.page.rendering import render, render_comparison

__all__ = ["render", "render_comparison"]
