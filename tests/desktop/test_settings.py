"""Settings: typed, kept on disk, and never in the way."""

from __future__ import annotations

from PySide6.QtCore import QByteArray

from dropline.station import Order
from dropline.tuning import Goal, GoalKind
from dropline_desktop.language import Language
from dropline_desktop.settings import Settings


def test_values_come_back_with_their_types(tmp_path):
    settings = Settings(tmp_path)
    assert (settings.workers, settings.figures_window, settings.theme) == (4, 10.0, "system")
    assert settings.limit is None
    settings.workers = 12
    settings.limit = 5e6
    settings.figures_window = 60.0
    settings.theme = "dark"
    assert settings.language is Language.SYSTEM
    settings.language = Language.CHINESE
    settings.last_folder = "/data/文件"
    assert (settings.order, settings.watched) == (Order.FIFO, ())
    settings.order = Order.SMALL_LANE
    settings.watched = ["/a, b/文件", "/c"]
    settings.set_layout("window", QByteArray(b"\0\1"))
    settings.save()
    again = Settings(tmp_path)
    assert (again.workers, again.figures_window, again.theme) == (12, 60.0, "dark")
    assert again.language is Language.CHINESE
    assert again.limit == 5e6
    again.limit = None
    assert Settings(tmp_path).limit is None
    assert again.last_folder == "/data/文件"
    assert again.order is Order.SMALL_LANE
    assert again.watched == ("/a, b/文件", "/c")
    assert again.layout("window") == QByteArray(b"\0\1")


def test_a_damaged_file_reads_as_the_defaults(tmp_path):
    (tmp_path / "settings.ini").write_text(
        "[General]\nworkers=many\nfigures_window=@Invalid()\nlimit=-1\norder=random\n"
        "watched=/outbox\n"
        "language=klingon\n"
    )
    settings = Settings(tmp_path)
    assert settings.workers == 4
    assert settings.limit is None
    assert settings.figures_window == 10.0
    assert settings.order is Order.FIFO
    assert settings.watched == ()
    assert settings.language is Language.SYSTEM
    assert settings.layout("window").isEmpty()


def test_a_goal_comes_back_but_for_a_moment_of_the_day(tmp_path):
    settings = Settings(tmp_path)
    assert settings.goal == Goal()
    for goal, kept in (
        (Goal(GoalKind.WAIT, 1.5), Goal(GoalKind.WAIT, 1.5)),
        (Goal(GoalKind.DONE_BY, 123.0), Goal()),
    ):
        settings.goal = goal
        settings.save()
        assert Settings(tmp_path).goal == kept


def test_a_goal_that_means_nothing_is_none(tmp_path):
    (tmp_path / "settings.ini").write_text("[General]\ngoal=wait\ngoal_seconds=-1\n")
    assert Settings(tmp_path).goal == Goal()
