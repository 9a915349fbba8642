"""The report as a browser shows it: its script is part of what is delivered."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from test_mapping_report import report

from landslide_cli.mapping.report import write_report

PROBE = """
<script>
const asked = performance.getEntriesByType("resource").map(entry => entry.name);
const seen = { requests: asked.filter(name => !name.startsWith("data:")) };
const cutAt = () => Number(document.getElementById("cut").getAttribute("width"));
const swipeTo = value => { swipe.value = value; swipe.dispatchEvent(new Event("input")); return cutAt(); };
seen.cuts = [swipeTo(250), swipeTo(750)];
const first = document.querySelector("path.slide");
seen.before = document.querySelectorAll("#chosen tr").length;
first.dispatchEvent(new MouseEvent("click", { bubbles: true }));
const chosen = document.getElementById("chosen").getBoundingClientRect();
seen.inView = chosen.top >= 0 && chosen.top < window.innerHeight;
seen.after = [...document.querySelectorAll("#chosen tr")].map(row => row.textContent);
const layer = document.querySelector("[data-layer=not_analysed]");
layer.click();
seen.hidden = document.getElementById("not_analysed").style.display;
const whole = view.getAttribute("viewBox");
document.getElementById("in").click();
seen.zoomed = whole !== view.getAttribute("viewBox");
document.getElementById("all").click();
seen.back = whole === view.getAttribute("viewBox");
seen.scale = scale.textContent;
// The map fills its frame, but for what rounding to whole pixels leaves.
seen.filled = [data.width / shownBox().w, data.height / (shownBox().k * view.clientHeight)];
seen.wide = document.documentElement.scrollWidth <= window.innerWidth;
document.body.setAttribute("data-seen", JSON.stringify(seen));
</script>
"""


@pytest.mark.parametrize("size", ["1400,1000", "390,844"])
def test_swipe_click_layers_and_zoom_work_without_a_network(tmp_path: Path, size: str) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here; on Debian: apt-get install chromium")
    write_report(report(), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    (tmp_path / "probed.html").write_text(page.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={size}",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "probed.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert found, done.stdout[-2000:]
    seen = json.loads(found[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert seen["requests"] == []
    left, right = seen["cuts"]
    assert 0 < left < right
    assert seen["before"] == 0
    assert seen["inView"]
    assert "Confidence: mean probability0.75" in seen["after"]
    assert any("onerror" in row for row in seen["after"]), "shown as text"
    assert seen["hidden"] == "none"
    assert seen["zoomed"]
    assert seen["back"]
    assert re.fullmatch(r"\d+ k?m", seen["scale"])
    assert seen["wide"]
    # On a phone the frame has the shape of the map.
    assert min(seen["filled"]) > (0.99 if size.startswith("390") else 0.5)
    assert "<img" not in done.stdout
