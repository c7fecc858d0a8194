"""The self-contained HTML report: layout, tables, SVG plots, plain words in two languages."""
