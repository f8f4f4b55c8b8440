#!/usr/bin/env python3
"""Cuts pictures out of a report.html, as SVG files that stand alone.

    cut-pictures.py REPORT TITLE TARGET

TARGET.svg is the chart whose title begins with TITLE (none if TITLE is empty), TARGET-best.svg the three best
molecules.
"""
import html
import re
import sys
from pathlib import Path

report, title, target = sys.argv[1:]
page = Path(report).read_text()
XMLNS = 'xmlns="http://www.w3.org/2000/svg"'
CARD, HEIGHT = 240, 200
# Letters that fit below a drawing.
LONGEST = 32

colours = re.search(r":root \{.*?\}", page, re.DOTALL).group().replace("color-scheme: light dark;", "")
if title:
    charts = re.findall(r'<div class="wide">(<svg.*?</svg>)', page, re.DOTALL)
    chart = next(chart for chart in charts if f"<title>{title}" in chart)
    # Points that show a text under the pointer do not in an image.
    chart = re.sub(r'<circle class="spot".*?</circle>\n?', "", chart, flags=re.DOTALL)
    rules = re.search(r"^svg \{.*?^\.bar \{.*?$", page, re.DOTALL | re.MULTILINE).group()
    style = f"<style>{colours}\n{rules}\nsvg {{ background: var(--paper); }}</style>"
    chart = chart.replace("<svg", f"<svg {XMLNS}", 1).replace("</title>", f"</title>\n{style}", 1)
    Path(f"{target}.svg").write_text(chart + "\n")

cards = page.split('<ol class="cards">')[1].split("</ol>")[0].split("<li>")[1:4]
drawn = []
for place, card in enumerate(cards):
    picture = re.search(r"<svg.*?</svg>", card, re.DOTALL).group()
    x = place * CARD
    drawn.append(picture.replace("<svg", f'<svg x="{x + 10}" width="220" height="150"', 1))
    value = re.search(r"<dt>(.*?)</dt><dd>(.*?)</dd>", card)
    name = re.search(r"<h3>\d+\.(.*?)</h3>", card).group(1).strip()
    smiles = re.search(r"<code[^>]*>(.*?)</code>", card).group(1)
    unit = html.unescape(value[1]).partition(" / ")[2]
    label = name if 0 < len(name) <= LONGEST else smiles
    label = label if len(html.unescape(label)) <= LONGEST else ""
    for line, text in enumerate([label, f"{value[2]} {html.escape(unit)}"]):
        drawn.append(f'<text x="{x + CARD // 2}" y="{168 + 20 * line}" text-anchor="middle">{text}</text>')
size = f'viewBox="0 0 {CARD * len(cards)} {HEIGHT}" width="{CARD * len(cards)}" height="{HEIGHT}"'
Path(f"{target}-best.svg").write_text(
    f'<svg {XMLNS} {size} style="background: #ffffff; color: #1c2330; font: 13px system-ui, sans-serif">\n'
    + f"<style>{colours}</style>\n" + "\n".join(drawn) + "\n</svg>\n")
