"""A headless Chromium, told what to do over a pipe: no driver, nothing to download."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60  # seconds


class Browser:
    """One page of one browser; `problems` is what its console and its policy complained of."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs, self.send = os.pipe()
        self.receive, answers = os.pipe()

        def place():  # Chromium reads 3 and writes 4
            high = [os.dup2(end, 100 + place) for place, end in enumerate((theirs, answers))]
            for end, place in zip(high, (3, 4), strict=True):
                os.dup2(end, place)

        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--remote-debugging-pipe", f"--user-data-dir={self.profile.name}"]
        command += ["--disable-dev-shm-usage", "about:blank"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, preexec_fn=place, pass_fds=(3, 4), **quiet)
        os.close(theirs)
        os.close(answers)
        self.held, self.number, self.problems = b"", 0, []
        self.route = {}  # what a message to the page says beside its own
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.route = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self.send)
        os.close(self.receive)
        self.profile.cleanup()

    def ask(self, method, **params):
        """What a command answers; AssertionError for its refusal."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, **self.route}
        os.write(self.send, json.dumps(message).encode() + b"\0")
        while (answer := self.next()).get("id") != self.number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def next(self):
        """The next message; what it complains of is kept."""
        while b"\0" not in self.held:
            more = os.read(self.receive, 2**16)
            assert more, "the browser went away"
            self.held += more
        text, _, self.held = self.held.partition(b"\0")
        message = json.loads(text)
        told = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.problems.append(told["exceptionDetails"])
        if message.get("method") == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.problems.append(told["entry"])
        if message.get("method") == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.problems.append(told["args"])
        return message

    def run(self, script):
        """The value of an expression in the page."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script):
        """Wait for an expression to hold."""
        end = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < end, f"still waiting for {script}"
            time.sleep(0.05)

    def open(self, path, width=1280, height=900, dark=False, still=True):
        """Show a file; `still`: for somebody who wants little motion."""
        small = {"deviceScaleFactor": 2, "mobile": True} if width < 600 else {}
        usual = {"deviceScaleFactor": 1, "mobile": False}
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, **(usual | small)
        )
        features = {"prefers-color-scheme": "dark" if dark else "light"}
        features["prefers-reduced-motion"] = "reduce" if still else "no-preference"
        listed = [{"name": name, "value": value} for name, value in features.items()]
        self.ask("Emulation.setEmulatedMedia", features=listed)
        self.run("window.left = true")  # the page before may be of the same address
        self.ask("Page.navigate", url=f"file://{path}")
        there = f"!window.left && location.href.endsWith({json.dumps(path.name)})"
        self.until(f"{there} && document.readyState == 'complete'")

    def press(self, key):
        """Press a key by its name."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, **text)

    def drag(self, start, stop):
        """Press the mouse, move it and let it go."""
        for kind, (x, y) in zip(
            ("mousePressed", "mouseMoved", "mouseReleased"), (start, stop, stop), strict=True
        ):
            self.ask(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                buttons=1,
                clickCount=1,
            )

    def screenshot(self):
        """PNG bytes of the whole page."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])
