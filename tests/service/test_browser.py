"""The page in a browser, headless Chromium: the whole story, and nothing that runs or leaves the machine which should not."""

import asyncio
import json
import shutil
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest
from tests.hostile import ACTIVE
from tests.service.serving import spoil

from instructrec.service import pages
from instructrec.service.access import new_key

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("Chromium is not installed, so no browser looks at the page: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip(
    "playwright.sync_api", reason='playwright is not installed: pip install -e ".[test]"; and apt-get install chromium'
)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


class Tab:
    """A page with an eye on its console and on where it asks."""

    def __init__(self, browser, *, motion="reduce", **more):
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", reduced_motion=motion, **more)
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.problems, self.hosts = [], set()
        self.page.on("console", lambda message: self._heard(message))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}") or dialog.dismiss())
        self.context.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def items(self):
        return self.page.eval_on_selector_all(".item", "rows => rows.map(row => row.dataset.item)")

    def press(self, selector):
        """Press a button and wait for the next page."""
        token = self.token()
        self.page.locator(selector).first.click()
        self.wait(token)

    def token(self):
        return self.page.locator("#state [name=token]").get_attribute("value")

    def wait(self, token):
        self.page.wait_for_selector(f'#state [name=token]:not([value="{token}"])', state="attached")

    def say(self, words):
        token = self.token()
        self.page.fill("#say", words)
        self.page.keyboard.press("Enter")
        self.wait(token)

    def chips(self):
        return self.page.locator(".chip.on bdi").all_inner_texts()

    def told(self):
        return self.page.locator("[data-say]").inner_text()

    def is_sound(self):
        assert self.problems == []
        assert self.hosts == {"127.0.0.1"}
        self.context.close()


def test_the_whole_story(browser, serve):
    served = serve()
    tab = Tab(browser)
    page = tab.page
    page.goto(f"{served.url}/")
    page.fill("#find", "u1")
    page.wait_for_selector("#found >> text=u19")
    page.click("#fresh")
    page.wait_for_selector(".item")
    assert "user=guest-" in page.url and len(tab.items()) == 10
    popular = tab.items()

    tab.say("comedy, no horror")
    assert tab.chips() == ["genres: Comedy", "genres: not Horror"] and page.evaluate("document.activeElement.id") == "say"
    steered = tab.items()
    assert steered != popular
    tab.press(".chip.on >> nth=0")
    assert tab.chips() == ["genres: not Horror"] and tab.items() != steered
    tab.press("#undo")
    assert tab.items() == steered and tab.chips() == ["genres: Comedy", "genres: not Horror"]

    liked = tab.items()[0]
    tab.press(".item >> nth=0 >> .act.like")
    assert liked not in tab.items() and "You like" in tab.told() and "The list changed" in tab.told()
    page.wait_for_selector("#live:has-text('The list changed')", state="attached")
    after_like = tab.items()
    tab.press(".item >> nth=1 >> .act.dislike")
    assert after_like[1] not in tab.items()
    assert page.evaluate("document.activeElement.closest('fieldset') !== null"), "the reasons are what comes next"
    tab.press(".reasons .chip >> text=genres")
    user = page.locator("#state [name=user]").get_attribute("value")
    assert served.live.known_of("local", user)["disliked"] == [{"item_id": after_like[1], "reason": "attribute:genres"}]
    tab.press("#undo")
    assert tab.items() == after_like
    tab.press("#undo")
    assert tab.items() == steered
    tab.press(".item >> nth=0 >> .act.similar")
    tab.press(".item >> nth=2 >> .act.ban")
    assert page.locator(".mark.up, .mark.down, .mark.new").count() > 0

    page.locator(".act.why").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".evidence >> text=Where it comes from")
    assert page.locator(".act.why").first.get_attribute("aria-expanded") == "true"
    assert page.locator(".evidence .bars li").count() >= 1
    tab.press(".languages [lang=zh]")
    assert page.evaluate("document.documentElement.lang") == "zh" and page.locator("h1").inner_text() == "为你推荐"
    assert tab.chips() == ["genres：Comedy", "genres：不要 Horror"] or len(tab.chips()) == 2
    tab.is_sound()


NAMELESS = """
Array.from(document.querySelectorAll("button, a, input:not([type=hidden]), textarea, select, summary"))
  .filter(one => !one.closest("[aria-hidden=true]"))
  .filter(one => !(one.textContent.trim() || one.getAttribute("aria-label") || (one.labels && one.labels.length)))
  .map(one => one.outerHTML)
"""


def test_a_keyboard_is_enough_and_everything_has_a_name(browser, serve):
    served = serve()
    tab = Tab(browser)
    page = tab.page
    page.goto(f"{served.url}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "the first stop leads to the content"
    assert page.evaluate(NAMELESS) == []
    page.focus("#fresh")
    page.keyboard.press("Enter")
    page.wait_for_selector(".item")
    assert page.evaluate(NAMELESS) == []
    page.focus("#say")
    page.keyboard.type("comedy")
    token = tab.token()
    page.keyboard.press("Enter")
    tab.wait(token)
    order = []
    for _ in range(4):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.value || document.activeElement.id"))
    assert order == ["say", "drop 0", "undo", "like 0"], order
    for act in ("like", "dislike"):
        page.focus(f".item .act.{act}")
        token = tab.token()
        page.keyboard.press("Enter")
        tab.wait(token)
        assert page.evaluate("document.activeElement !== document.body"), "focus is not lost"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value").startswith("because ")
    page.focus(".act.why")
    page.keyboard.press(" ")
    page.wait_for_selector(".evidence .facts, .evidence .bars")
    page.goto(f"{served.url}/owner")
    assert page.evaluate(NAMELESS) == []
    levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1 and all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    tab.is_sound()


def test_the_question_below_the_list_is_answered_by_keyboard(browser, serve):
    served = serve()
    tab = Tab(browser)
    tab.page.goto(f"{served.url}/?user=u1&lang=en")
    before, token = tab.items(), tab.token()
    tab.page.get_by_role("button", name="5 of 5: very well").focus()
    tab.page.keyboard.press("Enter")
    tab.wait(token)
    assert "Thank you" in tab.told() and tab.items() == before and tab.page.locator(".fits").count() == 0
    assert tab.page.evaluate("document.activeElement.id") == "list-title"
    [row] = [row.event for row in served.live.store.events_of("local", "user:u1") if row.event.type == "satisfaction"]
    assert row.value == 5.0 and row.recommendation_id
    tab.is_sound()


def test_what_is_known_can_be_edited_taken_away_and_erased(browser, serve):
    served = serve()
    tab = Tab(browser, accept_downloads=True)
    page = tab.page
    page.goto(f"{served.url}/?user=u1")
    page.fill("#profile", "I like comedies, no horror.")
    tab.press(".you >> text=Save")
    assert page.input_value("#profile") == "I like comedies, no horror."
    tab.press(".item >> nth=0 >> .act.like")
    with page.expect_download() as waiting:
        page.click("[data-export]")
    with open(waiting.value.path(), encoding="utf-8") as file:
        assert {json.loads(line)["kind"] for line in file} >= {"profile", "event"}
    page.click(".erase summary")
    page.click(".erase .danger")
    page.wait_for_selector("text=is erased")
    assert served.live.known_of("local", "u1")["events"] == 0
    tab.is_sound()


COUNT = "window.runs = 0; Object.defineProperty(window, 'ran', { set() { window.runs += 1; console.error('a script ran'); } });"
"""Counts scripts of a page that hostile words begin: each of them sets `ran`."""


def hostile_tab(browser):
    """A tab that counts what hostile words do, and looks at the policy of every page."""
    tab = Tab(browser)
    tab.context.add_init_script(COUNT)
    tab.pages = 0

    def seen(response):
        if response.request.resource_type == "document" or response.headers.get("content-type", "").startswith("text/html"):
            tab.pages += 1
            if not response.headers.get("content-security-policy", "").startswith("default-src 'self';"):
                tab.problems.append(f"{response.url} has no policy")

    tab.page.on("response", seen)
    return tab


def test_no_hostile_item_runs_or_fetches_anything(browser, serve, monkeypatch):
    served = serve()
    count = spoil(served.live)
    assert count >= 200
    monkeypatch.setattr(pages, "LISTED", 500)
    tab = hostile_tab(browser)
    page = tab.page
    page.goto(f"{served.url}/?user=u1")
    assert sum(item.startswith("h") for item in tab.items()) >= 200
    assert (
        page.locator("main script, main iframe, main form:not(#state), main img, .item input, .item a:not([data-why])").count() == 0
    )
    assert page.evaluate("window.runs") == 0
    monkeypatch.setattr(pages, "LISTED", 10)
    for act in ("like", "dislike", "ban"):
        tab.press(f".item .act.{act}")
    why = page.locator(".item .act.why").first
    address = why.get_attribute("href")
    why.click()
    page.wait_for_selector(".evidence .facts, .evidence .bars")
    assert page.evaluate("window.runs") == 0
    page.goto(f"{served.url}{address}")
    assert page.locator("#why").count() == 1 and page.evaluate("window.runs") == 0
    page.goto(f"{served.url}/owner")
    for place in (0, 20, 40):
        page.fill("#item", f"h{place}")
        page.click("button[value=withdraw]")
        page.wait_for_selector(f"button[value=restore] >> nth={place // 20}")
    page.hover("h1")
    assert page.locator("main script, main iframe, main img").count() == 0 and page.evaluate("window.runs") == 0
    assert tab.pages >= 8
    tab.is_sound()


def test_no_hostile_word_of_anybody_runs_or_fetches_anything(browser, serve, request):
    served = serve()
    words = [word for word in ACTIVE[:25] if "/" not in word[:20]]
    beside = served.live.snapshot.run.path.parent / words[1].replace("/", "|")
    beside.mkdir()
    request.addfinalizer(lambda: shutil.rmtree(beside))
    (beside / "manifest.json").write_text(json.dumps({"models": words[:3]}), encoding="utf-8")
    tab = hostile_tab(browser)
    page = tab.page
    page.goto(f"{served.url}/?{urlencode({'find': words[0], 'user': ''})}")
    page.goto(f"{served.url}/?{urlencode({'user': words[2]})}")
    page.fill("#profile", " ".join(words)[:2000])
    tab.press(".you >> text=Save")
    for word in (*words[:6], *ACTIVE[18:25]):
        tab.say(word)
    assert page.evaluate("window.runs") == 0
    event = {"type": "text", "user_id": words[2], "text": words[0]}
    arms = [{"name": words[0]}, {"name": words[3], "settings": {"model": "ridge"}}]
    assert httpx.post(f"{served.url}/v1/events", json={"events": [event]}).json()["accepted"] == 1
    assert httpx.put(f"{served.url}/v1/experiments/{quote(words[1], safe='')}", json={"arms": arms}).status_code == 200
    page.goto(f"{served.url}/?{urlencode({'user': words[2]})}")
    assert page.locator(".chip.on").count() >= 1 and page.evaluate("window.runs") == 0
    page.goto(f"{served.url}/why?{urlencode({'list': words[3], 'item': words[4], 'user': words[5]})}")
    assert page.evaluate("window.runs") == 0
    # A list that there is not: the browser tells of the status, and of nothing else.
    assert all("400 (Bad Request)" in one for one in tab.problems)
    tab.problems.clear()
    page.goto(f"{served.url}/owner")
    assert beside.name in page.inner_text("#folder") and words[0] in page.inner_text("main")
    assert page.locator("main script, main iframe, main img").count() == 0 and page.evaluate("window.runs") == 0
    assert tab.pages >= 15
    tab.is_sound()


def test_a_key_is_asked_for_once_and_sent_by_the_script(browser, serve):
    served = serve(wants_keys=True)
    key = new_key(served.live.store, tenant="a", name="page", scopes=["admin"])
    tab = Tab(browser, motion="no-preference")
    page = tab.page
    page.goto(f"{served.url}/?user=u1")
    assert page.locator(".item").count() == 0
    page.fill("#api-key", "ir_wrong")
    page.click("#key button")
    page.wait_for_selector("text=This API key is not known")
    assert all("401" in problem for problem in tab.problems)
    tab.problems.clear()
    page.fill("#api-key", key)
    page.click("#key button")
    page.wait_for_selector(".item")
    tab.press(".item >> nth=0 >> .act.like")
    assert len(served.live.store.events_of("a", "user:u1")) == 1
    page.reload()
    page.wait_for_selector(".item")
    page.click("nav >> text=Owner")
    page.wait_for_selector("text=The run that serves")
    assert page.evaluate("[document.cookie, localStorage.length]") == ["", 0] and key not in page.content()
    tab.is_sound()


def test_the_owner_withdraws_an_item_and_nothing_is_wider_than_a_phone(browser, serve):
    served = serve()
    tab = Tab(browser)
    page = tab.page
    for path in ("/?user=u1", "/?user=u1", "/owner"):
        page.goto(f"{served.url}{path}")
    page.wait_for_selector("svg.plot")
    page.fill("#item", "m7")
    page.click("button[value=withdraw]")
    page.wait_for_selector("text=is withdrawn")
    assert "m7" in served.live.snapshot.withdrawn
    page.click("button[value=restore]")
    page.wait_for_selector("text=can be shown again")
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/", "/?user=u1", "/owner", "/?user=u1&lang=zh"):
        page.goto(f"{served.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    tab.is_sound()


def test_reasons_that_come_late_are_put_into_the_list(browser, serve, monkeypatch):
    served = serve()
    reasons, slow = served.live.reasons.of, []

    async def later(listed):
        if not slow:
            slow.append(listed)
            await asyncio.sleep(30)
        return await reasons(listed)

    monkeypatch.setattr(served.live.reasons, "of", later)
    tab = Tab(browser)
    tab.page.goto(f"{served.url}/?user=u1")
    assert tab.page.locator("#later").count() == 1 and tab.page.locator(".reason").count() == 0
    tab.page.wait_for_selector(".reason")
    assert tab.page.locator(".reason").count() == 10 and tab.page.locator("#later").count() == 0
    tab.is_sound()


def test_without_scripts_the_list_and_the_sentence_still_work(browser, serve):
    served = serve()
    tab = Tab(browser, java_script_enabled=False)
    page = tab.page
    page.goto(f"{served.url}/?user=u1")
    page.fill("#say", "comedy")
    page.keyboard.press("Enter")
    page.wait_for_selector(".chip.on")
    page.locator(".act.like").first.click()
    page.wait_for_selector(".told >> text=You like")
    page.locator(".act.why").first.click()
    page.wait_for_selector("#why")
    assert served.live.known_of("local", "u1")["liked"]
    tab.is_sound()
