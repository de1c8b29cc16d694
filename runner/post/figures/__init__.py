"""Figures of a report, one theme a file; ``catalog`` lists them. Plotly draws them on the page."""
