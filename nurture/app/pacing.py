"""The limits of settings.toml as pacing knows them."""

from nurture.delivery.pacing.lanes import Limit, Pacing, Rule
from nurture.delivery.pacing.providers import domains_of
from nurture.delivery.pacing.warming import WarmUp
from nurture.errors import BadSettings
from nurture.settings import Settings
from nurture.settings.sections import LimitSettings


def pacing_of(settings: Settings) -> Pacing:
    """Everything that sending is held to beside permission."""
    senders, warm_up = settings.senders, settings.warm_up
    names = [one.name for one in settings.limits]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadSettings(f"limits.name: two limits are called {twice[0]}; give each a name of its own.")
    return Pacing(
        house=Limit(per_second=settings.sending.per_second),
        relays={
            one.name: Limit(per_second=one.per_second, per_hour=one.per_hour, per_day=one.per_day)
            for one in settings.relays
        },
        rules=tuple(_rule_of(one) for one in settings.limits),
        warm_up=WarmUp(_lowered(warm_up.senders), warm_up.first_day, warm_up.growth, warm_up.target),
        first_wave=settings.sending.first_wave,
        senders={
            "default": senders.default.email.lower(),
            **{name: one.email.lower() for name, one in senders.named.items()},
        },
    )


def _rule_of(one: LimitSettings) -> Rule:
    limit = Limit(one.at_once, one.per_second, one.per_hour, one.per_day)
    if not limit.is_any:
        raise BadSettings(
            f"limits.{one.name}: it limits nothing; write at_once, per_second, per_hour or per_day, or take it out."
        )
    to = frozenset(domain for word in one.to for domain in domains_of(word))
    return Rule(one.name, limit, to, _lowered(one.senders))


def _lowered(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
