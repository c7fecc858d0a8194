"""The page's questions in front of the window: guarantees, search, hierarchies, the comparison, which table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from guardapp.desktop.deidentify.guarantees import ask_guarantees
from guardapp.desktop.deidentify.hierarchy_editing import HierarchyDraft
from guardapp.desktop.deidentify.hierarchy_sheet import edit_hierarchy
from guardapp.desktop.deidentify.law_sheet import show_laws
from guardapp.desktop.deidentify.rule_sheet import ask_rule
from guardapp.desktop.deidentify.rules import Draft
from guardapp.desktop.deidentify.search_sheet import ask_search
from guardapp.desktop.deidentify.table_desk import TableDesk
from guardapp.desktop.kit import Choice, Combo, Field, FileField
from guardapp.desktop.sheet import Sheet
from guardapp.vault.home import data_folder

if TYPE_CHECKING:
    from guardapp.desktop.page import Services

HIERARCHIES = "Hierarchies (*.csv *.txt);;All files (*)"


class PageSheets(QObject):
    """change(act): do something to the draft and show it; profile(name): what is known of a column.

    population: where the table of the population is set
    """

    def __init__(
        self,
        services: Services,
        desk: TableDesk,
        page: QWidget,
        change: Callable[[Callable[[Draft], None]], None],
        profile: Callable[[str], Mapping[str, Any] | None],
        population: FileField,
    ) -> None:
        super().__init__(page)
        self._services, self._desk, self._page = services, desk, page
        self._change, self._profile, self._population = change, profile, population

    def rule(self, name: str, draft: Draft | None) -> None:
        """Set a column's rule by hand."""
        profile = self._profile(name)
        if draft is not None and profile is not None:
            ask_rule(self._page.window(), profile, draft.columns, partial(self._set_rule, name))

    def _set_rule(self, name: str, rule: object, hierarchy: object) -> None:
        self._change(lambda draft: draft.set_rule(name, rule, hierarchy))

    def guarantees(self, draft: Draft) -> None:
        def take(models: list[dict[str, Any]]) -> None:
            if population.path is not None:
                self._population.take(population.path)
            self._change(lambda draft: draft.set_plan(draft.plan._replace(models=tuple(models))))

        trees = [name for name in draft.sensitive if isinstance(draft.columns[name].get("hierarchy"), str)]
        population = FileField("Table of the population", self._population.choose, "ph.users")
        population.set_path(self._population.path)
        ask_guarantees(self._page.window(), draft.plan.models, draft.sensitive, trees, population, take)

    def search(self, draft: Draft) -> None:
        ask_search(self._page.window(), draft.plan, lambda plan: self._change(lambda draft: draft.set_plan(plan)))

    def compare(self, draft: Draft) -> None:
        """Measure, then show; the plots' library is loaded with the first of them."""

        def show(found: dict[str, Any]) -> None:
            from guardapp.desktop.deidentify.compare_sheet import show_comparison

            show_comparison(self._page.window(), found)

        self._desk.compare(draft.policy(), show, self._services.fail)

    def laws(self, draft: Draft) -> None:
        """What laws call the columns, and what stands against Safe Harbor under the rules as they are."""
        profiles = [profile for name in draft.columns if (profile := self._profile(name)) is not None]

        def show(found: dict[str, Any]) -> None:
            show_laws(self._page.window(), profiles, found["hindrances"])

        self._desk.safe_harbor(draft.policy(), show, self._services.fail)

    def hierarchy(self, name: str, draft: Draft | None) -> None:
        """Show a column's hierarchy as lines, and take what a person makes of it."""
        if draft is None:
            return
        now = draft.columns[name].get("hierarchy")
        self._desk.hierarchy(name, now, lambda found: self._edit(name, found), self._services.fail)

    def _edit(self, name: str, found: Mapping[str, Any]) -> None:
        draft = HierarchyDraft(found["lines"])
        _, editor = edit_hierarchy(self._page.window(), name, draft, partial(self._take_hierarchy, name))
        editor.import_wanted.connect(lambda: self._services.choose_file(bring, "Import a hierarchy…", HIERARCHIES))
        editor.export_wanted.connect(
            lambda: self._services.choose_target(self._export(draft), "Export the hierarchy…", f"hierarchy_{name}.csv")
        )

        def bring(path: Path) -> None:
            self._desk.read_hierarchy(name, path, editor.imported, self._services.fail)

    def _export(self, draft: HierarchyDraft) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            self._desk.write_hierarchy(path, draft.lines, partial(self._exported, path), self._services.fail)

        return write

    def _exported(self, path: Path, _: object) -> None:
        self._services.tell("The hierarchy was saved to {file}.", "success", file=path.name)

    def _take_hierarchy(self, name: str, draft: HierarchyDraft) -> None:
        """Keep it in the data folder, where the rules find it; a job copies it beside its own policy."""
        if not draft.changed:
            return
        path = data_folder() / "hierarchies" / draft.file_name(name)
        self._desk.write_hierarchy(path, draft.lines, partial(self._use, name, path), self._services.fail)

    def _use(self, name: str, path: Path, _: object) -> None:
        self._change(lambda draft: draft.set_hierarchy(name, str(path)))

    def which_table(self, names: list[str], then: Callable[[str], None]) -> None:
        """A workbook or database has several tables: which one?"""
        # in quotation marks, so that a name is not translated
        box = Combo("Table", [Choice(name, f"“{name}”", "ph.table") for name in names])
        text = "The file holds {n} tables. One is protected at a time."
        sheet = Sheet(self._page.window(), "ph.table", "Which table?", text, n=len(names))
        sheet.add_field(Field("Table", box))
        sheet.add_button("Cancel")
        sheet.add_button("Open", lambda: then(box.value), "primary", default=True)
        sheet.open()
        box.setFocus()
