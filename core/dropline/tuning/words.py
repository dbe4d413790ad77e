"""What the tuner says, in English sentences, each from one template, so that it can be translated.

`translate` gets a template and gives it in another language, with the same fields; `duration` and
`number` write seconds and plain figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dropline.tuning.advice import (
    AutopilotChanged,
    AutopilotMoved,
    Bottleneck,
    Check,
    Doubt,
    ProbeChanged,
    Recommendation,
    Stage,
    Why,
)

Translate = Callable[[str], str]
Write = Callable[[float], str]

RECOMMENDATION: Mapping[str, str] = {
    Why.NOTHING_SEEN: "Nothing can be recommended until some files have been sent.",
    Why.IDLE: "Nothing waits and nothing comes: any number of workers will do.",
    Why.KEEPS_UP: (
        "{workers} workers: the fewest that keep up with what comes without files waiting longer "
        "than they take to send."
    ),
    Why.MEETS_GOAL: (
        "{workers} workers: the fewest that meet your goal of {limit}; expected {value}."
    ),
    Why.IN_TIME: (
        "{workers} workers: the fewest that are done in time; all is sent in about {value}."
    ),
    Why.BATCH: "{workers} workers: all is sent in about {value}, and more would hardly be faster.",
    Why.SERVICE_TOO_LONG: (
        "Your goal of {limit} can't be met: sending a file alone takes longer. With {workers} "
        "workers waiting adds little to it; expected {value}."
    ),
    Why.KNEE: "{workers} workers: more than these would not get more done.",
    Why.FEW_LEFT: "{workers} workers: one for each file that is left.",
    Why.FURTHEST: (
        "{workers} workers: twice as many as were tried; what more would do is not known."
    ),
    Why.BOUND: "{workers} workers: the most that are allowed.",
}
#: Added where a goal is not met.
MISSED = "Your goal of {limit} can't be met with them: expected {value}."
MISSED_UNKNOWN = "Your goal of {limit} can't be met with them: the line does not keep up."

MOVED = "The autopilot went from {before} to {workers} workers."

VERDICT: Mapping[str, str] = {
    "valid": "The predictions hold: what comes and how long it takes has been steady.",
    "doubtful": "Mind that these predictions are doubtful:",
    "batch": "This is a batch, and nothing more is expected: see when it is done.",
}
DOUBT: Mapping[str, str] = {
    "few_arrivals": "only {value} files have come, and it takes {limit} to know how fast they do.",
    "few_services": "only {value} files have been sent, and it takes {limit} to know how long one "
    "takes.",
    "overloaded": "files come faster than these workers can send them, so the queue grows.",
    "maybe_overloaded": "it can't be told yet whether these workers keep up with what comes.",
    "not_settled": "the line has been watched for {value}, and needs {limit} to settle.",
    "arrivals_stopped": "nothing has come for {value}.",
    "arrivals_change": "files come faster or slower than they did.",
    "service_changes": "files take longer or shorter than they did.",
    "not_poisson": "files come in bursts, or by the clock, rather than by chance.",
}
#: Doubts whose figures are seconds.
_SECONDS = ("not_settled", "arrivals_stopped")

BOTTLENECK: Mapping[str, str] = {
    Stage.SOURCE: "Reading the files limits the line: it takes {share} of the workers' time.",
    Stage.SENDER: "This computer's processor limits the line: Dropline uses {share} of one core.",
    Stage.NETWORK: "The network limits the line: handing bytes to it takes {share} of the "
    "workers' time.",
    Stage.LIMIT: "The limit on bytes a second holds the line back: workers wait for it {share} of "
    "their time.",
    Stage.TARGET: "The target limits the line: waiting for its answers takes {share} of the "
    "workers' time.",
    Stage.WORKERS: "The number of workers limits the line: they are busy {share} of the time, and "
    "more would help.",
    Stage.NONE: "Nothing limits the line: its workers are busy only {share} of the time.",
}

AUTOPILOT: Mapping[str, str] = {
    "on": "The autopilot is on: {least} to {most} workers.",
    "asked": "The autopilot is off.",
    "touched": "The autopilot is off: you have set the number of workers.",
}
PROBE: Mapping[str, str] = {
    "running": "Probe, step {step} of {steps}: {workers} workers.",
    "done": "The probe is done; back to {workers} workers.",
    "stopped": "The probe was stopped; back to {workers} workers.",
    "touched": "The probe ended: you have set the number of workers.",
    "empty": "The probe ended: there is too little to send to keep so many workers busy. Drop more "
    "files and start it again. Back to {workers} workers.",
}

#: All of them.
TEMPLATES: tuple[str, ...] = (
    *RECOMMENDATION.values(),
    MISSED,
    MISSED_UNKNOWN,
    MOVED,
    *VERDICT.values(),
    *DOUBT.values(),
    *BOTTLENECK.values(),
    *AUTOPILOT.values(),
    *PROBE.values(),
)


def in_seconds(seconds: float) -> str:
    """A duration in plain English."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def as_is(text: str) -> str:
    """English."""
    return text


def recommendation(
    advised: Recommendation, translate: Translate = as_is, duration: Write = in_seconds
) -> str:
    """Why so many workers, and whether the goal is met."""
    workers, value, limit = advised.workers, advised.value, advised.limit
    figures = {
        "workers": workers,
        "value": "–" if value is None else duration(value),
        "limit": "–" if limit is None else duration(limit),
    }
    said = [RECOMMENDATION[advised.why]]
    if advised.met is False and advised.why != Why.SERVICE_TOO_LONG:
        said.append(MISSED_UNKNOWN if value is None else MISSED)
    return " ".join(translate(template).format(**figures) for template in said)


def move(moved: AutopilotMoved, translate: Translate = as_is, duration: Write = in_seconds) -> str:
    """What the autopilot did, and why."""
    did = translate(MOVED).format(before=moved.before, workers=moved.workers)
    because = Recommendation(moved.workers, moved.why, moved.value, moved.limit)
    return f"{did} {recommendation(because, translate, duration)}"


def check(found: Check, translate: Translate = as_is, duration: Write = in_seconds) -> str:
    """Whether predictions hold, and what speaks against it."""
    said = translate(VERDICT[found.verdict])
    if found.verdict != "doubtful":
        return said
    return " ".join([said, *(doubt(each, translate, duration) for each in found.doubts)])


def doubt(found: Doubt, translate: Translate = as_is, duration: Write = in_seconds) -> str:
    """One reason to doubt a prediction."""
    write = duration if found.reason in _SECONDS else "{:.3g}".format
    return translate(DOUBT[found.reason]).format(value=write(found.value), limit=write(found.limit))


def bottleneck(found: Bottleneck, translate: Translate = as_is) -> str:
    """What limits the line."""
    return translate(BOTTLENECK[found.stage]).format(share=f"{found.share * 100:.0f} %")


def autopilot(changed: AutopilotChanged, translate: Translate = as_is) -> str:
    """That it is on or off, and why."""
    template = AUTOPILOT["on" if changed.on else changed.why]
    return translate(template).format(least=changed.least, most=changed.most)


def probe(changed: ProbeChanged, translate: Translate = as_is) -> str:
    """Where the probe is, or why it ended."""
    return translate(PROBE[changed.why]).format(
        step=changed.step, steps=changed.steps, workers=changed.workers
    )
