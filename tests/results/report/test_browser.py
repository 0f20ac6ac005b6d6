"""The report in a real browser, as a person uses it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lit_effnet.results.frame.table import load
from lit_effnet.results.report import page
from lit_effnet.results.report.plan import plans
from lit_effnet.results.stats.estimates import estimates, repeats
from tests.conftest import ROOT
from tests.results.report.sweep import add_run, make_sweep

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"
)
EVIL = "<script>document.title='evil'</script>"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a sweep with a running trial, a broken folder and a name that would be code."""
    root = tmp_path_factory.mktemp("report")
    group = make_sweep(root / "runs")
    add_run(group, "width at 2.04 x MACs", 0, 0.1, 4_100_000, status="running")
    for seed in range(2):
        add_run(group, EVIL, seed, 0.005 + 0.9 * seed, 9_000_000)
    (group / "broken").mkdir()
    (group / "broken" / "run.json").write_text("{")
    table = load([group])
    options = page.Options(plans=plans(sorted((ROOT / "sweeps").glob("*.yaml"))))
    made = page.views(table, options)
    (root / "index.html").write_text(page.html(made, table, [str(group)], options))
    return root


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking",
                 "no-first-run", "disable-dev-shm-usage", "hide-scrollbars",
                 f"user-data-dir={tmp_path_factory.mktemp('profile')}"):  # fmt: skip
        options.add_argument(f"--{flag}")
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Any, report: Path) -> Any:
    size(browser, 1280)
    scheme(browser, "light")
    browser.get(f"file://{report}/index.html")
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    return browser


def size(browser: Any, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def scheme(browser: Any, name: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": name}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def one(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def column(browser: Any, table: str, index: int) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll(`[data-table=${arguments[0]}] tbody tr`)]"
        ".map(row => row.children[arguments[1]].innerText.trim())", table, index,
    )  # fmt: skip


def test_there_is_no_error_and_every_figure_is_drawn(opened: Any) -> None:
    assert opened.get_log("browser") == []
    assert opened.title == "Results"  # no name of an arm has run
    sizes = opened.execute_script(
        "return [...document.images].map(i => i.naturalWidth).concat("
        "[...document.querySelectorAll('svg.chart')].map(s => s.getBoundingClientRect().height))"
    )
    assert len(sizes) == 4
    assert all(length > 100 for length in sizes)


def test_the_numbers_are_the_frames(opened: Any, report: Path) -> None:
    frame = load([report / "runs"]).frame
    frame = frame[frame["status"] == "finished"]
    expected = estimates(repeats(frame)).set_index("arm")
    arms, means, lows = (column(opened, "arms", index) for index in (0, 2, 4))
    assert set(arms) == set(expected.index)
    for arm, mean, low in zip(arms, means, lows, strict=True):
        assert mean == f"{100 * expected.loc[arm, 'mean']:.1f}"
        known = expected["t_low"].notna()[arm]
        assert low == (f"{100 * expected.loc[arm, 't_low']:.1f}" if known else "")
    one(opened, "details.runs summary").click()
    values = [value for value in column(opened, "runs", 2) if value]
    assert sorted(values) == sorted(f"{100 * value:.1f}" for value in frame["top1"])


def test_a_heading_sorts_by_number_both_ways_with_gaps_last(opened: Any) -> None:
    heading = one(opened, "[data-table=arms] th:nth-child(5) button")
    for order, reverse in (("descending", True), ("ascending", False)):
        heading.click()
        assert heading.find_element("xpath", "..").get_attribute("aria-sort") == order
        values = column(opened, "arms", 4)
        known = [float(value) for value in values[:-1]]
        assert values[-1] == ""
        assert known == sorted(known, reverse=reverse)
    one(opened, "[data-table=arms] th:nth-child(1) button").click()
    names = column(opened, "arms", 0)
    assert names[1:] == sorted(names[1:])


def test_one_switch_turns_texts_and_figures_to_chinese(opened: Any) -> None:
    answer, figure = one(opened, ".answer"), one(opened, "figure[id$=macs] svg")
    assert "is worse than" in answer.text
    assert "multiply-adds of one image" in figure.text
    one(opened, "#language").click()
    assert "复合缩放" in answer.text
    assert "is worse than" not in answer.text
    assert "单张图像的乘加运算量" in figure.text
    assert "multiply-adds of one image" not in figure.text
    assert opened.title == "结果"
    assert one(opened, "html").get_attribute("lang") == "zh-Hans"
    one(opened, "#language").click()
    assert "is worse than" in answer.text


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_no_wider_than_the_screen(opened: Any, width: int, language: str) -> None:
    size(opened, width)
    if language == "zh":
        one(opened, "#language").click()
    for details in opened.find_elements("css selector", "details"):
        opened.execute_script("arguments[0].open = true", details)
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    inner = one(opened, "[data-table=runs]").size["width"]
    assert inner > width - 100  # it scrolls within its own frame


def test_a_point_names_its_run_on_hover_and_on_focus(opened: Any) -> None:
    tip = one(opened, "#tip")
    point = opened.find_elements("css selector", ".mark[data-run]")[-1]
    assert not tip.is_displayed()
    shape = point.find_element("css selector", "use")
    webdriver.ActionChains(opened).move_to_element(shape).perform()
    assert tip.is_displayed()
    assert tip.text.startswith(f"{EVIL}\n90.5 % (seed 1)\n")
    assert "scaling_ablation_photos/" in tip.text
    webdriver.ActionChains(opened).move_to_element(one(opened, "h1")).perform()
    assert not tip.is_displayed()
    opened.execute_script("arguments[0].focus()", point)
    assert tip.is_displayed()
    point.send_keys("\ue007")  # Enter
    row = one(opened, f"#{point.get_attribute('data-run')}")
    assert row.is_displayed()
    assert row.find_elements("tag name", "td")[7].text in point.get_attribute("data-en")


def test_dark_by_the_system_and_by_the_switch(opened: Any) -> None:
    def paper() -> str:
        return one(opened, "body").value_of_css_property("background-color")

    assert paper() == "rgba(255, 255, 255, 1)"
    scheme(opened, "dark")
    assert paper() == "rgba(20, 23, 26, 1)"
    one(opened, "#theme").click()
    assert paper() == "rgba(255, 255, 255, 1)"
    opened.refresh()
    assert paper() == "rgba(255, 255, 255, 1)"  # remembered


def test_no_shape_of_a_figure_is_black_on_the_dark_page(opened: Any) -> None:
    """Matplotlib leaves out the fill of black shapes, the baseline's, which would stay black."""
    scheme(opened, "dark")
    fills = opened.execute_script(
        "return [...document.querySelectorAll('.chart .mark *')]"
        ".map(shape => getComputedStyle(shape).fill)"
    )
    assert fills
    assert "rgb(0, 0, 0)" not in fills


def test_what_is_missing_and_what_is_broken_is_named(opened: Any) -> None:
    assert "36 of the 45 trials" in one(opened, ".missing summary").text
    one(opened, ".missing summary").click()
    assert "axis=depth,budget=3.99, seed 2" in one(opened, ".missing").text
    one(opened, ".broken summary").click()
    assert "broken" in one(opened, ".broken li").text


def test_it_prints_light_with_everything_open(opened: Any) -> None:
    scheme(opened, "dark")
    printed = opened.execute_cdp_cmd("Page.printToPDF", {})["data"]
    assert len(printed) > 10_000
    media = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    assert one(opened, "body").value_of_css_property("background-color") == "rgba(255, 255, 255, 1)"
    assert not one(opened, "#language").is_displayed()
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})


def test_the_legend_shows_and_hides_an_arm_in_all_figures(opened: Any) -> None:
    key = one(opened, ".key[data-arm=baseline]")
    marks = opened.find_elements("css selector", ".mark[data-arm=baseline]")
    assert len({mark.find_element("xpath", "ancestor::figure").id for mark in marks}) > 2
    for pressed in ("false", "true"):
        key.click()
        assert key.get_attribute("aria-pressed") == pressed
        assert {mark.is_displayed() for mark in marks} == {pressed == "true"}
    others = opened.find_elements("css selector", ".mark:not([data-arm=baseline])")
    assert all(mark.is_displayed() for mark in others)
