"""Opens a page in Debian's Chromium and prints what is wrong with it, as JSON.

Usage: browser.py PAGE [PICTURES]. In the folder PICTURES it leaves screenshots of a desktop, a phone
and paper.
"""

import json
import pathlib
import shutil
import sys

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
OVERFLOW = """() => [...document.querySelectorAll('body *')]
  .filter((e) => !e.closest('svg, pre, thead') && e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.outerHTML.slice(0, 80))
  .concat(document.documentElement.scrollWidth > innerWidth ? ['the page'] : [])"""


def faults(browser, url, scheme, width):
    """Script errors, requests, overflow and axe-core findings of the page at one width."""
    found = []
    context = browser.new_context(viewport={"width": width[0], "height": width[1]}, color_scheme=scheme)
    page = context.new_page()
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("console", lambda message: found.append(f"console: {message.text}"))
    page.on("request", lambda request: request.url == url or found.append(f"request: {request.url}"))
    page.goto(url)
    page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    found += [f"overflow: {element}" for element in page.evaluate(OVERFLOW)]
    for violation in Axe().run(page).response["violations"]:
        if violation["impact"] in ("serious", "critical"):
            nodes = [node["html"][:120] for node in violation["nodes"][:3]]
            found.append(f"axe-core: {violation['id']}: {nodes}")
    found += moved(page)
    context.close()
    return found


def moved(page):
    """Faults of the buttons and of the view that is turned."""
    found = []
    view = page.locator("#view")
    if view.count() == 0:
        return found
    before = view.inner_html()
    view.focus()
    page.keyboard.press("ArrowRight")
    if view.inner_html() == before:
        found.append("the arrow key does not turn the molecule")
    button = page.locator("button[data-copy]").first
    button.click()
    page.wait_for_timeout(100)
    if button.text_content() != "Copied":
        found.append("the button does not copy")
    return found


def without_scripts(browser, url):
    """Text of the page, and the number of shapes of its view, where scripts are switched off."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    text = page.locator("body").inner_text()
    shapes = page.locator("#view circle").count()
    context.close()
    return {"text": text, "shapes": shapes}


def pictures(browser, url, folder):
    """Leaves screenshots in the folder."""
    for name, (width, height) in WIDTHS.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            page.goto(url)
            suffix = "" if scheme == "light" else "-dark"
            page.screenshot(path=folder / f"report-{name}{suffix}.png", full_page=True)
            context.close()
    # An A4 page between margins of 15 mm.
    page = browser.new_page(viewport={"width": 680, "height": 1000})
    page.emulate_media(media="print", color_scheme="light")
    page.goto(url)
    page.screenshot(path=folder / "report-print.png", full_page=True)
    page.pdf(path=folder / "report-print.pdf", format="A4", print_background=True)


def main():
    url = pathlib.Path(sys.argv[1]).resolve().as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        if len(sys.argv) > 2:
            folder = pathlib.Path(sys.argv[2])
            folder.mkdir(parents=True, exist_ok=True)
            pictures(browser, url, folder)
        found = {
            f"{name}, {scheme}": faults(browser, url, scheme, width)
            for name, width in WIDTHS.items()
            for scheme in ("light", "dark")
        }
        plain = without_scripts(browser, url)
        browser.close()
    print(json.dumps({"faults": found, "plain": plain}))


main()
