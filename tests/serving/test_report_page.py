"""The report's page in a browser: safety against hostile text, interaction, and accessibility."""

import itertools

import pytest

from components.report.page import render, render_comparison
from tests.unit.report import sample_figures as made

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)> & </title></style> {{ 7 * 7 }} a%20b#c"
RIGHT_TO_LEFT = ["נועה", "כהן", "פגשה", "את", "בתל", "אביב"]
LONG = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesellschaft" * 5


@pytest.fixture
def open_report(visit, tmp_path):
    """A function that opens a report, or another page, from a file; any network request fails the test."""
    number = itertools.count()

    def open_file(figures, **options):
        file = tmp_path / f"{next(number)}.html"
        file.write_text(figures if isinstance(figures, str) else render(figures), encoding="utf-8")
        page = visit(file.as_uri(), **options)
        assert page.evaluate("performance.getEntriesByType('resource')") == []
        return page

    return open_file


@pytest.fixture(scope="module")
def three():
    return made.figures()


@pytest.fixture(scope="module")
def eighteen():
    return made.figures(made.EIGHTEEN, 300)


@pytest.fixture(scope="module")
def hostile():
    return made.figures(
        types=tuple(f"{type_} {HOSTILE}" for type_ in made.THREE),
        words=["the", HOSTILE, "</p>", "\ud800", "\u202e"],
        names=["Basel", HOSTILE, LONG],
        text=lambda words: f"{words} {HOSTILE}",
    )


# Texts that overflow their elements by more than the border of a mark.
LOST = """(all) => all
  .filter((one) => one.scrollWidth > one.clientWidth + 4)
  .map((one) => one.textContent.slice(0, 99))"""


def number_of(page, selector):
    return page.locator(selector).count()


def test_hostile_text_is_not_executed(open_report, hostile):
    """An executed script would open a dialog, and a fetched image would be refused; either fails the test."""
    for shown in (hostile, render_comparison(hostile, hostile)):
        page = open_report(shown)
        assert number_of(page, "img, main script:not([type='application/json'])") == 0
        assert HOSTILE in page.title() or HOSTILE in page.locator("h1").inner_text()
        assert page.locator("bdi").filter(has_text=HOSTILE).count() > 5
    page = open_report(hostile)
    for selector in (
        "h1",
        "#verdict",
        "#types th .entity >> nth=0",
        ".example .sentence >> nth=0",
        ".nodes td >> nth=1",
        "#card",
    ):
        assert "<script>alert('x')</script>" in page.locator(selector).text_content()
    assert page.locator("#threshold-type option").nth(1).inner_text().endswith(HOSTILE)


def test_the_content_security_policy_stops_an_injected_script(open_report, three):
    html = render(three).replace("<main", "<script>document.title = 'ran'</script><main", 1)
    page = open_report(html, expect_complaints=True)
    assert page.title() != "ran"
    assert not page.locator("#chooser").is_hidden()  # its own script runs


def test_the_slider_shows_the_scores_at_a_threshold(open_report, three):
    page = open_report(three)
    thresholds = three.evaluation.thresholds
    page.get_by_label("Type", exact=True).select_option(label="LOC")
    for position in (0, 50, 100):
        page.get_by_role("slider").fill(str(position))
        score = thresholds.per_type["LOC"].scores[position]
        shown = [
            page.locator(f"#at-{part}").inner_text()
            for part in ("precision", "recall", "f1", "predicted")
        ]
        assert shown == [
            f"{score.precision:.3f}",
            f"{score.recall:.3f}",
            f"{score.f1:.3f}",
            f"{score.tp + score.fp:,}",
        ]
        assert (
            page.locator("#threshold-shown").inner_text()
            == f"{thresholds.thresholds[position]:.2f}"
        )
    assert page.locator("#threshold-of").inner_text() == "LOC"


def test_the_slider_shows_the_curve_of_the_chosen_type(open_report, three):
    page = open_report(three)
    chart = page.locator("#threshold-chart")
    drawn = (
        "chart => [...chart.querySelectorAll('.line')].map((line) => line.getAttribute('points'))"
    )
    of_all = chart.evaluate(drawn)
    page.get_by_label("Type", exact=True).select_option(label="PER")
    assert chart.evaluate(drawn) != of_all
    page.get_by_label("Type", exact=True).select_option(label="all types")
    assert [line.count(",") for line in chart.evaluate(drawn)] == [101] * 3
    before, after = (
        sum(float(pair.split(",")[1]) for line in lines for pair in line.split())
        for lines in (of_all, chart.evaluate(drawn))
    )
    assert abs(before - after) < 1  # the script draws what the page was made with


def test_the_marker_follows_the_slider(open_report, three):
    page = open_report(three)
    positions = []
    for value in (0, 100):
        page.get_by_role("slider").fill(str(value))
        positions.append(page.locator("#threshold-chart .marker").bounding_box()["x"])
    chart = page.locator("#threshold-chart").bounding_box()
    assert (
        chart["x"]
        < positions[0]
        < chart["x"] + chart["width"] / 4
        < positions[1]
        <= chart["x"] + chart["width"]
    )


def test_without_scripts_only_the_slider_is_missing(open_report, three):
    page = open_report(three, java_script_enabled=False)
    assert page.locator("#chooser").is_hidden() and page.locator("#unfold").is_hidden()
    best = three.evaluation.thresholds.overall.scores[three.evaluation.thresholds.best]
    assert page.locator("#at-f1").inner_text() == f"{best.f1:.3f}"
    folded = page.locator("#types details")
    assert not folded.locator("table").first.is_visible()
    folded.locator("summary").click()
    assert folded.locator("table").first.is_visible()


def test_errors_fold_and_unfold(open_report, three):
    page = open_report(three)
    every = number_of(page, "#errors details")
    page.get_by_role("button", name="Unfold all").click()
    assert number_of(page, "#errors details[open]") == every
    page.get_by_role("button", name="Fold all", exact=True).click()
    assert number_of(page, "#errors details[open]") == 0


def test_a_type_with_any_name_links_to_its_errors(open_report, hostile):
    page = open_report(hostile)
    for index in range(3):
        link = page.locator("#types th a").nth(index)
        name = link.inner_text()
        link.click()
        target = page.locator(".of-type:target")
        assert target.locator("h3 .entity").inner_text() == name
        assert number_of(page, ".of-type:target details:not([open])") == 0


def test_true_and_predicted_entities_differ_in_more_than_colour(open_report, three):
    page = open_report(three)
    style = (
        "one => [getComputedStyle(one).borderBottomWidth, getComputedStyle(one).backgroundColor]"
    )
    region = page.locator(".region:not(.subject)").first
    gold = page.locator(".region > .gold:not(:has(.predicted))").last.evaluate(style)
    found = page.locator(".region > .predicted").last.evaluate(style)
    assert gold[0] == "3px" and gold[1] == "rgba(0, 0, 0, 0)"
    assert found[0] == "0px" and found[1] != "rgba(0, 0, 0, 0)"
    assert region.count() == 1
    assert page.locator(".is-gold").last.inner_text().startswith("gold ")
    assert page.locator(".is-predicted").last.inner_text().startswith("model ")


def test_a_sentence_reads_in_its_own_direction(open_report):
    figures = made.figures(words=RIGHT_TO_LEFT, names=["תל", "כהן"], sentences=40)
    page = open_report(figures)
    sentence = page.locator(".example .sentence").first
    box, words = (
        sentence.bounding_box(),
        sentence.evaluate(
            "(one) => { const range = document.createRange(); range.setStart(one.firstChild.firstChild ?? one.firstChild, 0);"
            " range.setEnd(one.firstChild.firstChild ?? one.firstChild, 1); return range.getBoundingClientRect().right; }"
        ),
    )
    assert abs(box["x"] + box["width"] - words) < 12  # begins at the right


# Visible text with a contrast to its background below 4.5 (WCAG 2.2, AA); scroll shadows are not a background.
HARD_TO_READ = """() => {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[0-9.]+(e-?[0-9]+)?/g).map(Number);
    return colour.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const bad = {};
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); ) {
    const one = text.parentElement;
    if (!text.data.trim() || !one.checkVisibility() || ["SCRIPT", "STYLE"].includes(one.tagName)) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(parse(one.closest("svg") ? style.fill : style.color)), light(ground(one))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = `${one.tagName}.${one.className.baseVal ?? one.className}`;
    if (contrast < 4.5) bad[name] = `${contrast.toFixed(2)} ${text.data.trim()}`;
  }
  return bad;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(open_report, eighteen, scheme):
    for shown in (eighteen, render_comparison(eighteen, eighteen)):
        page = open_report(shown, color_scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert page.evaluate(HARD_TO_READ) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_shades_of_the_heat_map_are_readable_and_increase(open_report, eighteen, scheme):
    page = open_report(eighteen, color_scheme=scheme)
    cells = "".join(
        f'<td class="s{shade}{" deep" if shade > 6 else ""}">{shade}</td>' for shade in range(10)
    )
    page.locator(".heat tbody").evaluate(
        "(body, cells) => { body.innerHTML = `<tr>${cells}</tr>`; }", cells
    )
    assert page.evaluate(HARD_TO_READ) == {}
    greys = page.eval_on_selector_all(
        ".heat td",
        "all => all.map((one) => { const [r, g, b] = getComputedStyle(one).backgroundColor.match(/[0-9.]+/g).map(Number);"
        " return 0.2126 * r + 0.7152 * g + 0.0722 * b; })",
    )
    assert greys == sorted(greys, reverse=scheme == "light") and len(set(greys)) == 10


def test_the_page_does_not_scroll_horizontally(open_report, eighteen, hostile):
    names = made.figures(tuple(f"a_very_long_type_name_number_{n:02}" for n in range(30)), 150)
    for shown in (eighteen, hostile, names, render_comparison(eighteen, hostile)):
        page = open_report(shown)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        for width in (320, 390, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert (
                page.eval_on_selector_all("p, h1, h2, h3, h4, figcaption, li, dd, summary", LOST)
                == []
            )


def test_scrolling_regions_can_be_reached_with_the_keyboard(open_report, eighteen):
    page = open_report(eighteen, viewport={"width": 390, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    scrolled = "all => all.filter((one) => one.scrollWidth > one.clientWidth && one.tabIndex < 0).map((one) => one.innerText)"
    assert page.eval_on_selector_all(".scroll", scrolled) == []


def test_printing_opens_all_sections_and_closes_them_again(open_report, eighteen):
    page = open_report(eighteen)
    folded = number_of(page, "details:not([open])")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert number_of(page, "details:not([open])") == 0 and page.locator("nav").is_hidden()
    assert page.locator(".group .example").first.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert number_of(page, "details:not([open])") == folded > 0


def test_a_printed_report_has_a_limited_number_of_pages(open_report, three, eighteen):
    for figures, most in ((three, 15), (eighteen, 40)):
        printed = open_report(figures).pdf(format="A4")
        assert 3 <= printed.count(b"/Type /Page\n") <= most


def test_every_control_has_an_accessible_name(open_report, three):
    page = open_report(three)
    unnamed = page.eval_on_selector_all(
        "input, select, button, nav, svg[role], [role=region]",
        "all => all.filter((one) => !(one.labels?.length || one.textContent.trim() || one.ariaLabel)).map((one) => one.outerHTML)",
    )
    assert unnamed == []
    assert number_of(page, "h1") == number_of(page, "html[lang=en] main") == 1
