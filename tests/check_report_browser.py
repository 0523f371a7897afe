#!/usr/bin/env python3
"""check_report_browser.py PAGE.html [--shots DIR] - looks at report.html with headless Chromium.

At the width of a phone and of a desk, on light and on dark screens, and on paper: nothing reaches beyond the page or is cut off, a
table that scrolls says so and keeps its caption and first column, plots of a row end at the same height, no text has a contrast
below 4.5 to 1, the console stays silent, nothing is fetched, and what must be read is there. Talks to the browser
over its debugging pipe; needs Python's own library only. --shots keeps pictures. Exit code 77: there is no browser.
"""
import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Width, height, medium and scheme: two phones, a desk, and A4 paper within its margins, which is always light.
VIEWS = [(width, height, "screen", scheme) for width, height in ((360, 800), (390, 844), (1280, 900))
         for scheme in ("light", "dark")] + [(718, 1047, "print", "dark")]
WORDS = ("Summary", "Coverage", "Provenance", "Definitions of the metrics", "AUROC", "95% interval",
         "Real frames".lower(), "VIDEOS", "FRAMES")

# Opens all details, and waits until they are drawn.
OPEN = """
document.querySelectorAll('details').forEach((d) => { d.open = true; });
new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
"""

# Runs in the page, WIDTH given: a phone's own innerWidth grows with what overflows. Alpha is blended with what lies behind; SVG text counts with its fill.
SCRIPT = r"""
(() => {
  const parse = (text) => {
    const n = (text.match(/[\d.]+/g) || []).map(Number);
    return n.length < 3 ? null : [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
  };
  const over = (top, under) => {
    const a = top[3];
    return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)).concat(1);
  };
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c && c[3] > 0) layers.push(c);
      if (c && c[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = (c) => {
    const f = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]);
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > WIDTH)
    faults.push(`the page is ${root.scrollWidth} px wide in a window of ${WIDTH}`);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = 99, texts = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || ['TITLE', 'title', 'STYLE'].includes(element.tagName)) continue;
    const box = element.getBoundingClientRect();
    if (box.width === 0) continue;
    texts++;
    const style = getComputedStyle(element);
    const ink = parse(element instanceof SVGElement ? style.fill : style.color);
    const under = ground(element instanceof SVGElement ? element.closest('figure') || element.ownerSVGElement.parentElement : element);
    const found = ink ? contrast(over(ink, under), under) : 0;
    least = Math.min(least, found);
    if (found < 4.5)
      faults.push(`contrast ${found.toFixed(2)}: "${node.data.trim().slice(0, 40)}"`);
    const inner = element.closest('.scroll, pre');
    const inBox = inner && getComputedStyle(inner).overflowX !== 'visible';
    if (style.overflowX !== 'visible' && style.overflowX !== 'auto' && element.scrollWidth > element.clientWidth + 1)
      faults.push(`"${node.data.trim().slice(0, 40)}" is cut off`);
    if (!inBox && !(element instanceof SVGElement) && box.right > WIDTH + 1)
      faults.push(`"${node.data.trim().slice(0, 40)}" ends at ${box.right.toFixed(0)} px`);
    const svg = element.closest('svg.chart');
    const outer = svg && svg.getBoundingClientRect();
    if (outer && (box.right > outer.right + 1 || box.left < outer.left - 1))
      faults.push(`"${node.data.trim().slice(0, 40)}" leaves its chart`);
    if (outer && parseFloat(style.fontSize) * outer.width / svg.viewBox.baseVal.width < 9)
      faults.push(`"${node.data.trim().slice(0, 40)}" is too small to read`);
  }
  document.querySelectorAll('.scroll').forEach((box) => {
    const caption = box.querySelector('caption span'), name = caption.textContent.slice(0, 40);
    if (getComputedStyle(box).overflowX === 'visible' || box.clientWidth === 0) return;
    const scrolls = box.scrollWidth > box.clientWidth, hint = getComputedStyle(caption, '::after').content;
    if (scrolls && !hint.includes('Scroll')) faults.push(`"${name}" scrolls without a hint`);
    if (!scrolls && hint.includes('Scroll')) faults.push(`"${name}" has a hint, but does not scroll`);
    box.scrollLeft = box.scrollWidth;
    const outer = box.getBoundingClientRect();
    [caption, box.querySelector('tbody th')].forEach((part) => {
      const inside = part.getBoundingClientRect();
      if (inside.left < outer.left - 1 || inside.right > outer.right + 1)
        faults.push(`"${name}": "${part.textContent.slice(0, 40)}" does not stay when the table scrolls`);
    });
    box.scrollLeft = 0;
  });
  const interval = document.querySelector('#summary tbody .interval');
  if (interval && interval.getBoundingClientRect().right > interval.closest('.scroll').getBoundingClientRect().right)
    faults.push('the first interval of the summary is not visible');
  const bottoms = new Map();
  document.querySelectorAll('.figures figure').forEach((f) => {
    const top = Math.round(f.getBoundingClientRect().top), bottom = f.querySelector('svg').getBoundingClientRect().bottom;
    if (bottoms.has(top) && Math.abs(bottoms.get(top) - bottom) > 1)
      faults.push(`${f.textContent.trim().slice(0, 40)}: plots of a row end at different heights`);
    bottoms.set(top, bottom);
  });
  let level = 1;
  document.querySelectorAll('h1,h2,h3,h4,h5,h6').forEach((h) => {
    const n = Number(h.tagName[1]);
    if (n > level + 1) faults.push(`heading ${h.textContent} jumps from h${level} to h${n}`);
    level = n;
  });
  document.querySelectorAll('svg').forEach((s) => {
    if (!s.parentElement.closest('svg') && !s.getAttribute('aria-label') && s.getAttribute('aria-hidden') !== 'true')
      faults.push('a chart without a label');
  });
  document.querySelectorAll('img').forEach((i) => {
    if (!i.alt || !i.complete || i.naturalWidth === 0) faults.push('an image without text or pixels');
  });
  document.querySelectorAll('th').forEach((h) => { if (!h.scope) faults.push('th without scope'); });
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  if (new Set(ids).size !== ids.length) faults.push('an id is there twice');
  document.querySelectorAll('a[href^="#"]').forEach((a) => {
    if (!document.getElementById(a.hash.slice(1))) faults.push(`${a.hash} leads nowhere`);
  });
  return JSON.stringify({faults: [...new Set(faults)].slice(0, 20), least, texts,
                         text: document.body.innerText, height: root.scrollHeight});
})()
"""


class Browser:
    """Chromium on a pipe: messages are JSON, each ended by a zero byte (file descriptors 3 and 4 of the child)."""

    def __init__(self, program, profile):
        to_child, self.out = os.pipe()
        self.into, from_child = os.pipe()
        # The shell moves the pipe to the descriptors that the browser looks at; the numbers may collide otherwise.
        command = [program, "--headless=new", "--remote-debugging-pipe", "--disable-gpu",
                   "--hide-scrollbars", "--no-first-run", "--disable-extensions",
                   "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{to_child} 4>&{from_child}', "sh"] + command,
            pass_fds=(to_child, from_child), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.number, self.buffer, self.events, self.session = 0, b"", [], None

    def read(self):
        while b"\0" not in self.buffer:
            more = os.read(self.into, 1 << 16)
            if not more:
                raise RuntimeError("the browser ended")
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]
            self.events.append(answer)

    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Network"):
            self.call(domain + ".enable")
        self.call("Page.navigate", url=url)
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.read())

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
            self.process.wait(timeout=10)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def look(browser, view, shots):
    """What is wrong in one view."""
    width, height, medium, scheme = view
    name = f"{width}-{medium}-{scheme}"
    browser.call("Emulation.setEmulatedMedia", media=medium,
                 features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=width < 600)
    if shots:
        for part, whole in (("", False), ("-whole", True)):
            picture = browser.call("Page.captureScreenshot", captureBeyondViewport=whole)
            with open(os.path.join(shots, f"{name}{part}.png"), "wb") as file:
                file.write(base64.b64decode(picture["data"]))
    browser.call("Runtime.evaluate", expression=OPEN, awaitPromise=True)
    answer = browser.call("Runtime.evaluate", expression=SCRIPT.replace("WIDTH", str(width)), returnByValue=True)
    if "exceptionDetails" in answer:
        return ["the checking script failed: " + json.dumps(answer["exceptionDetails"])[:300]]
    result = json.loads(answer["result"]["value"])
    faults = result["faults"]
    text = " ".join(result["text"].split()).lower()
    faults += [f"'{word}' is not to be read" for word in WORDS if word.lower() not in text]
    if result["texts"] < 100:
        faults.append(f"only {result['texts']} texts were found")
    print(f"{name}: {result['texts']} texts, least contrast {result['least']:.2f}, "
          f"{result['height']} px high")
    return [f"{name}: {fault}" for fault in faults]


def complaints(events):
    """Messages of the console, exceptions, and requests beyond the file."""
    for event in events:
        method, parameters = event.get("method"), event.get("params", {})
        if method in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            yield "console: " + json.dumps(parameters)[:300]
        if method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith(("file:", "data:")):
                yield "fetches " + url


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", nargs="?")
    parser.add_argument("--find", action="store_true", help="only tell whether there is a browser")
    parser.add_argument("--shots", help="folder for pictures")
    arguments = parser.parse_args()
    program = next((p for p in map(shutil.which, BROWSERS) if p), None)
    if not program:
        print("skipped: no Chromium is installed; on Debian: apt-get install chromium")
        return 77
    if arguments.find or not arguments.page:
        return 0 if arguments.find else parser.error("name a page")
    bad = []
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        try:
            browser.open("file://" + os.path.abspath(arguments.page))
            for view in VIEWS:
                bad += look(browser, view, arguments.shots)
            bad += complaints(browser.events)
        finally:
            browser.close()
    for fault in bad:
        print("FAIL: " + fault)
    print("report in the browser: " + (f"{len(bad)} faults" if bad else "good"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
