"""What people and the owner of a service do, in any order, beside a model of it that is simple enough to be believed."""

import itertools
import time
from collections import Counter
from urllib.parse import quote

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from instructrec.service.settings import STEP_S

EXAMPLES = itertools.count()
MET = ("view", "click", "like", "purchase", "similar")
WORDS = {"": None, "no horror": ("exclude", "Horror"), "only comedy": ("include", "Comedy")}
PEOPLE = ("new", "other", "visitor", "known", "regular")
ALL = 500
"""More than the catalog has, so that a list of so many is everything that may be shown."""


def is_good(event):
    """Whether an event is a rating that counts as a like."""
    return event["type"] == "rating" and event["value"] >= 4


class Model:
    """One person: what was acknowledged, in that order, and what follows from it."""

    def __init__(self, history=()):
        self.stored, self.profile, self.log = [], "", set(history)

    def standing(self):
        """The events that are not undone; an undo that is itself undone undoes nothing."""
        undone = set()
        for event in reversed(self.stored):
            if event["type"] == "undo" and event["event_id"] not in undone:
                undone.add(event["undoes"])
        return [event for event in self.stored if event["event_id"] not in undone and event["type"] != "undo"]

    def opinions(self):
        """Item -> "like" or "dislike", the last one."""
        found = {}
        for event in self.standing():
            good = event["type"] == "like" or is_good(event)
            if event["type"] in ("like", "dislike") or good:
                found[event["item_id"]] = "dislike" if event["type"] == "dislike" else "like"
            elif event["type"] == "rating" and found.get(event["item_id"]) == "like":
                del found[event["item_id"]]
        return found

    def disliked(self):
        return {item for item, opinion in self.opinions().items() if opinion == "dislike"}

    def disliked_for_good(self):
        """Items whose last opinion says something of what resembles them, too."""
        last = {event["item_id"]: event.get("reason") for event in self.standing() if event["type"] == "dislike"}
        return {item for item in self.disliked() if last[item] not in ("seen", "not_now")}

    def liked(self):
        return {item for item, opinion in self.opinions().items() if opinion == "like"}

    def banned(self):
        return {event["item_id"] for event in self.standing() if event["type"] == "ban"}

    def met(self):
        good = [event["item_id"] for event in self.standing() if event["type"] in MET or is_good(event)]
        return self.log | set(good)

    def words(self):
        return next((event["text"] for event in reversed(self.standing()) if event["type"] == "text"), "")


class People(RuleBasedStateMachine):
    """Users, a visitor and two users of the log do things; after each step their lists and what is known of them are looked at."""

    def __init__(self, service):
        super().__init__()
        self.service, self.number = service, next(EXAMPLES)
        self.counter, self.withdrawn, self.waiting = itertools.count(), set(service.live.snapshot.withdrawn), set()
        self.made = set()
        self.models, self.trial = {}, None

    def teardown(self):
        if self.trial:
            self.ask("POST", f"/v1/experiments/{self.trial}/stop")
        # The catalog keeps what was added, so it is withdrawn: more could be shown otherwise than a list can hold.
        rows = [{"item_id": item, "available": True} for item in sorted(self.withdrawn) if item.startswith("m")]
        rows += [{"item_id": item, "available": False} for item in sorted(self.made)]
        if rows:
            self.ask("PUT", "/v1/items", {"items": rows})
        for person in self.models:
            if person != "visitor":
                self.ask("DELETE", f"/v1/users/{self.name(person)}")

    # Asking

    def ask(self, method, path, body=None, status=200):
        answer = self.service.ask(method, path, json=body)
        assert answer.status_code == status, (method, path, body, answer.status_code, answer.text[:300])
        return answer

    def name(self, person):
        users = self.service.live.snapshot.dataset.interactions.user_ids
        return {"known": users[0], "regular": users[7]}.get(person, f"{person}-{self.number}")

    def who(self, person):
        return {"session_id" if person == "visitor" else "user_id": self.name(person)}

    def send(self, *rows):
        return [row["verdict"] for row in self.ask("POST", "/v1/events", {"events": list(rows)}, 202).json()["verdicts"]]

    def list(self, person, **more):
        return self.ask("POST", "/v1/recommend", self.who(person) | {"n": ALL, "deadline_ms": 60_000} | more)

    def items(self, person, **more):
        found = [entry["item_id"] for entry in self.list(person, **more).json()["items"]]
        assert len(set(found)) == len(found)
        return found

    def genre(self, item):
        catalog = self.service.live.snapshot.catalog
        return catalog.labels["genres"].of(catalog.index[item])

    def happen(self, person, kind, **more):
        row = self.who(person) | {"event_id": f"{self.number}-{next(self.counter)}", "type": kind, **more}
        assert self.send(row) == ["stored"]
        self.models[person].stored.append(row)
        return row

    def allowed(self, person, *, hide_seen=True, limit=None):
        """Everything that may be in a list of the person."""
        model = self.models[person]
        gone = self.withdrawn | model.banned() | model.disliked() | (model.met() if hide_seen else set())
        rest = set(self.service.live.snapshot.catalog.item_ids) - gone
        for operator, value in filter(None, (limit, WORDS[model.words()])):
            rest = {item for item in rest if (value in self.genre(item)) is (operator == "include")}
        return rest

    # What happens

    @initialize()
    def begin(self):
        for person in PEOPLE:
            past = [] if person == "visitor" else self.ask("GET", f"/v1/users/{self.name(person)}").json()["history"]
            self.models[person] = Model(past)

    people = st.sampled_from(PEOPLE)
    places = st.integers(0, 59).map(lambda place: f"m{place}")

    @rule(person=people, item=places, kind=st.sampled_from((*MET, "ban", "impression")))
    def something_is_done(self, person, item, kind):
        self.happen(person, kind, item_id=item)

    @rule(person=people, item=places, reason=st.sampled_from((None, "seen", "not_now", "attribute:genres")))
    def something_is_disliked(self, person, item, reason):
        self.happen(person, "dislike", item_id=item, reason=reason)
        assert item not in self.items(person, n=10)

    @rule(person=people, item=places, value=st.integers(1, 5))
    def stars_are_given(self, person, item, value):
        self.happen(person, "rating", item_id=item, value=value)

    @rule(person=people, value=st.integers(1, 5))
    def somebody_says_how_well_lists_fit(self, person, value):
        before = self.list(person).content
        self.happen(person, "satisfaction", value=value)
        assert self.list(person).content == before

    @rule(person=people, words=st.sampled_from(sorted(WORDS)))
    def words_are_said(self, person, words):
        self.happen(person, "text", text=words)

    @rule(
        person=people,
        item=places,
        kind=st.sampled_from(("like", "dislike", "similar", "ban", "click")),
        n=st.sampled_from((5, ALL)),
    )
    def an_undo_gives_the_list_back(self, person, item, kind, n):
        moment = time.time() // STEP_S
        before = self.list(person, n=n).content
        done = self.happen(person, kind, item_id=item)
        self.list(person, n=n)
        self.happen(person, "undo", undoes=done["event_id"])
        after = self.list(person, n=n).content
        assert after == before or time.time() // STEP_S != moment

    @rule(person=people, place=st.integers(0, 200))
    def something_is_undone(self, person, place):
        stored = self.models[person].stored
        assume(stored)
        self.happen(person, "undo", undoes=stored[place % len(stored)]["event_id"])

    @rule(person=people, place=st.integers(0, 200))
    def an_event_comes_again(self, person, place):
        stored = self.models[person].stored
        assume(stored)
        row, before = stored[place % len(stored)], self.list(person).content
        other = {**row, "type": "text", "text": "something else", "item_id": None, "reason": None, "undoes": None, "value": None}
        assert self.send(row, other, row, {"type": "like"}, "nonsense") == [
            "duplicate",
            "conflict",
            "duplicate",
            "rejected",
            "rejected",
        ]
        assert self.list(person).content == before

    @rule(item=places, available=st.booleans())
    def an_item_goes_or_comes_back(self, item, available):
        self.ask("PUT", "/v1/items", {"items": [{"item_id": item, "available": available}, {"title": "without an id"}]})
        (self.withdrawn.discard if available else self.withdrawn.add)(item)

    @rule(genre=st.sampled_from(("Comedy", "Horror")))
    def an_item_is_new(self, genre):
        item = f"n{self.number}-{next(self.counter)}"
        row = {"item_id": item, "title": f"New {item}", "attributes": {"genres": [genre], "year": 2001}}
        assert self.ask("PUT", "/v1/items", {"items": [row]}).json()["accepted"] == 1
        self.waiting.add(item)
        self.made.add(item)

    @precondition(lambda self: self.waiting)
    @rule(swap=st.booleans())
    def the_models_read_what_is_new(self, swap):
        folder = self.service.live.snapshot.run.path
        self.ask("POST", "/v1/run", {"path": folder.name}) if swap else self.ask("POST", "/v1/items/refresh")
        assert self.waiting <= set(self.service.live.snapshot.catalog.item_ids)
        self.waiting.clear()

    @rule(person=st.sampled_from(("new", "other", "known")), words=st.sampled_from(("", "I like comedies.", "我喜欢喜剧")))
    def somebody_describes_themselves(self, person, words):
        self.ask("PUT", f"/v1/users/{self.name(person)}/profile", {"text": words})
        self.models[person].profile = words

    @rule(person=st.sampled_from(("new", "other", "regular")))
    def somebody_is_erased(self, person):
        model = self.models[person]
        self.ask("DELETE", f"/v1/users/{self.name(person)}")
        if model.stored:
            assert self.send(model.stored[0]) == ["erased"]
        self.models[person] = Model(model.log)
        assert self.ask("GET", f"/v1/users/{self.name(person)}/export").text == ""
        if person != "regular" and not self.trial:
            stranger = self.ask(
                "POST",
                "/v1/recommend",
                {"user_id": f"stranger-{self.number}-{next(self.counter)}", "n": ALL, "deadline_ms": 60_000},
            ).json()
            assert self.list(person).json()["items"] == stranger["items"]

    @rule(
        person=people,
        operator=st.sampled_from(("include", "exclude")),
        genre=st.sampled_from(("Comedy", "Romance", "Drama")),
        seen=st.booleans(),
    )
    def a_list_is_asked_for_under_a_limit(self, person, operator, genre, seen):
        # Of a limit and standing words about the same genre the later one holds.
        assume(self.models[person].words() != "only comedy")
        limit = {"attribute": "genres", "operator": operator, "values": [genre]}
        found = self.items(person, parameters={"limits": [limit]}, hide_seen=not seen)
        assert set(found) == self.allowed(person, hide_seen=not seen, limit=(operator, genre))

    @precondition(lambda self: not self.trial)
    @rule(kind=st.sampled_from(("split", "interleaving")), exploration=st.sampled_from((0.0, 0.3)))
    def an_experiment_begins(self, kind, exploration):
        self.trial = f"trial-{self.number}-{next(self.counter)}"
        settings = {} if kind == "interleaving" else {"exploration": exploration}
        arms = [{"name": "now"}, {"name": "then", "settings": {"model": "ridge", **settings}}]
        self.ask("PUT", f"/v1/experiments/{self.trial}", {"kind": kind, "arms": arms, "metrics": ["like_rate"]})
        self.ask("POST", f"/v1/experiments/{self.trial}/start")

    @precondition(lambda self: self.trial)
    @rule()
    def an_experiment_is_looked_at_and_ends(self):
        found = self.ask("GET", f"/v1/experiments/{self.trial}").json()
        assert found["status"] == "running" and found["results"]["num_units"] >= 0
        self.ask("POST", f"/v1/experiments/{self.trial}/stop")
        self.trial = None

    # Under an experiment a list may hold chance, and people differ in their arms.
    @precondition(lambda self: not self.trial)
    @rule(person=people, n=st.integers(1, 12))
    def a_short_list_is_the_head_of_the_whole(self, person, n):
        assert self.items(person, n=n) == self.items(person)[:n]

    # What always holds

    @invariant()
    def what_may_be_shown_is_shown_and_nothing_else(self):
        for person in self.models:
            assert set(self.items(person)) == self.allowed(person)

    @invariant()
    def what_is_known_is_what_was_said(self):
        for person, model in self.models.items():
            if person == "visitor":
                continue
            known = self.ask("GET", f"/v1/users/{self.name(person)}").json()
            assert known["events"] == len(model.stored) and known["profile"] == model.profile and known["text"] == model.words()
            assert set(known["liked"]) == model.liked() and {one["item_id"] for one in known["disliked"]} == model.disliked()
            assert set(known["banned"]) == model.banned() and set(known["history"]) == model.met() - model.disliked_for_good()

    @invariant()
    def what_was_acknowledged_is_kept_once(self):
        for person, model in self.models.items():
            if person == "visitor":
                continue
            lines = self.ask("GET", f"/v1/users/{quote(self.name(person))}/export").text.splitlines()
            kept = Counter(line.split('"event_id":"')[1].split('"')[0] for line in lines if '"kind":"event"' in line)
            assert kept == Counter(event["event_id"] for event in model.stored)
