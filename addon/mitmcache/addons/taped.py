"""What a test asked, and what came of each call, in words for whoever runs the tests."""

from dataclasses import dataclass

from mitmcache.addons.trail import Trail


@dataclass(frozen=True, slots=True)
class Noted:
    """A call of the test. `what` names it, without a word of its request."""

    trail: Trail
    what: str
    inference: bool

    @property
    def missed(self) -> str:
        """Of a replay: why it was not answered."""
        outcome = self.trail.outcome
        if outcome and outcome.word == "BYPASS":
            return f"{self.what}: is never answered from a recording: {outcome.detail}"
        if outcome and outcome.detail:
            return f"{self.what}: differs from the nearest recorded call in: {outcome.detail}"
        return f"{self.what}: not recorded"

    @property
    def lost(self) -> str:
        """Of a recording: why its answer was not kept."""
        outcome = self.trail.outcome
        if outcome is None or outcome.fwd_status == 0:
            return f"{self.what}: had not come to its end"
        status = f"status {outcome.fwd_status}" if outcome.fwd_status != 200 else ""
        reason = outcome.detail if outcome.word == "BYPASS" or not status else ""
        return f"{self.what}: could not be kept: {status or reason or 'no whole answer'}"
