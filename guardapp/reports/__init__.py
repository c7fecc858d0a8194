"""The self-contained HTML report: plain words first, then the numbers, in English and Chinese, on screen and on paper.

    report = Report(title="Robustness of model.safetensors", subtitle="500 images")
    report.verdict("Holds against small changes", level="success", detail="…")
    report.figures([Figure("Accuracy under attack", "84 %", "target at least 80 %", "success")])
    report.write(out / "report.html")

Text is English and goes through `guardapp.language.translate`; data (table cells, quoted settings) is shown as it is,
unless a cell is wrapped in `Words`. Every text is escaped. The file needs no script, no network and no other file.
"""

from guardapp.reports.plot import Curve, Plot
from guardapp.reports.report import Figure, Report
from guardapp.reports.words import Words

__all__ = ["Curve", "Figure", "Plot", "Report", "Words"]
