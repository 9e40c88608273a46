"""The rows that say how the work goes: is it well, lag, delivery. Each panel begins with what is read off it."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panel import WINDOW, burn, panel, quantiles, stat

WELL: Final = (
    stat(
        "Fewer than you run: one is gone, or Prometheus can't reach it. 0: nothing is delivered.",
        "sum by (job) (up)",
        "answer",
        title="Members that answer",
        red=1,
        below=True,
        of_group=True,
    ),
    stat(
        "Fewer than answer: somebody has to act, or a member starts, restores or drains. Its `/readyz` says which.",
        "sum by (job) (customfit_ready)",
        "ready",
        title="Members that are ready",
        red=1,
        below=True,
        of_group=True,
    ),
    stat(
        "Above 0 for minutes: nobody reads these partitions, and nobody sees their lag. Start members.",
        "max by (job, topic) (customfit_topic_partitions) - sum by (job, topic) (customfit_partitions_assigned)",
        "{{topic}}",
        title="Partitions that nobody reads",
        red=1,
        of_group=True,
    ),
    stat(
        "How far CustomFit is behind what users do. Red: minutes like this one count as late.",
        "max by (job) (customfit_lag_seconds)",
        "oldest",
        title="Oldest record not committed",
        red="late_seconds",
    ),
    stat(
        "1: the budget of late minutes lasts for its 30 days. Red: with an hour like the last one somebody is woken.",
        "max by (job) (customfit:late_minutes:burn1h)",
        "late minutes",
        title="Late minutes, of those allowed",
        unit="none",
        red="burn_1h",
        yellow="burn_3d",
        of_group=True,
    ),
    stat(
        "Not 0: events are neither finished nor in hand. That is a bug, and CustomfitAccountingBroken fires.",
        "abs(sum by (job) (customfit_events_consumed_total) - sum by (job) (customfit_events_finished_total)"
        " - sum by (job) (customfit_events_unfinished))",
        "events",
        title="Events not accounted for",
        red=1,
    ),
    panel(
        "What Prometheus tells of this group now; empty is well. docs/runbook.md has a section for each alert.",
        ('max by (alertname, severity) (ALERTS{alertstate="firing"})', "{{alertname}} ({{severity}})"),
        title="Alerts that fire",
        kind="table",
        of_group=True,
    ),
    panel(
        "Empty is well. Each line is a cause, by the name that `/readyz` has for it; docs/operations.md explains each.",
        ("max by (instance, cause) (customfit_degraded) == 1", "{{cause}} at {{instance}}"),
        title="What is wrong",
        kind="state-timeline",
        red=1,
        width=16,
    ),
)

LAG: Final = (
    panel(
        "A partition that grows by a second a second stands still. All at once: CustomFit, Kafka or this member.",
        ("max by (topic, partition) (customfit_lag_seconds)", "{{topic}}-{{partition}}"),
        red="late_seconds",
    ),
    panel(
        "How much is left to do. After an outage its slope says when it will be over.",
        ("max by (topic, partition) (customfit_lag_events)", "{{topic}}-{{partition}}"),
        title="Events not yet committed",
    ),
    panel(
        "Lag without the clocks of producers. Low here, high in the age beside it: the timestamps are old.",
        ("max by (topic, partition) (customfit_oldest_unfinished_seconds)", "{{topic}}-{{partition}}"),
        title="How long the oldest record not committed has been there",
        red="late_seconds",
    ),
    panel(
        "At 0 Kafka may delete what nobody has read: raise the topic's retention first. No line: nothing waits.",
        ("min by (topic, partition) (customfit_retention_headroom_seconds)", "{{topic}}-{{partition}}"),
        red="retention_seconds",
        below=True,
    ),
    panel(
        "Fetched above finished: events pile up in memory; soon fetching stops. Both 0 beside a lag: look at Kafka.",
        (f"sum by (job) (rate(customfit_events_consumed_total[{WINDOW}]))", "fetched"),
        (f"sum by (job) (rate(customfit_events_finished_total[{WINDOW}]))", "finished"),
        title="Events fetched and finished",
    ),
    burn(
        "Speaks in an outage, too. Above the red line in both 5m and 1h somebody is woken.",
        "late_minutes",
        "{{topic}} ",
        title="Late minutes: how fast their budget is spent",
    ),
)

DELIVERY: Final = (
    panel(
        "`stopped`: key, URL or account are wrong: somebody has to act. `unavailable`: an outage. `throttled`: 429.",
        ("max by (instance, state) (customfit_destination_state) == 1", "{{state}} at {{instance}}"),
        title="State of the destination",
        kind="state-timeline",
        colors=(("stopped", "red"), ("unavailable", "red"), ("throttled", "yellow")),
    ),
    panel(
        "One member at 0 and the others at 1: look at that member's network, proxy and key.",
        ("min by (instance) (customfit_destination_up)", "{{instance}}"),
        title="Whether the destination accepts requests",
        red=1,
        below=True,
    ),
    panel(
        "Grows by a second a second in an outage; also when nothing is produced, but then there is no lag.",
        ("time() - max by (instance) (customfit_last_delivery_timestamp_seconds > 0)", "{{instance}}"),
        title="Time since a request was accepted",
    ),
    panel(
        "Only 2xx is well. 401, 403: the key. 429: a limit. timeout, connect_error: the network. 5xx: CustomFit.",
        (f"sum by (result) (rate(customfit_requests_total[{WINDOW}]))", "{{result}}"),
        stacked=True,
    ),
    quantiles(
        "How fast CustomFit answers. If it becomes slower and requests in flight are at their limit, throughput falls.",
        "customfit_request_duration_seconds",
    ),
    quantiles(
        "How late events arrive. A backlog that is worked off shows here; in an outage there is nothing to see.",
        "customfit_delivery_latency_seconds",
        red="in_time_seconds",
    ),
    panel(
        "`dead_lettered` deserves a look. `handed_back` comes with rebalances and stops; another member has those.",
        (f"sum by (outcome) (rate(customfit_events_finished_total[{WINDOW}]))", "{{outcome}}"),
        stacked=True,
    ),
    panel(
        "Why events become dead letters. `dlq list` lists them, `dlq show` opens one, `dlq replay` sends them again.",
        (
            f'sum by (reason) (increase(customfit_events_finished_total{{outcome="dead_lettered"}}[{WINDOW}]))',
            "{{reason}}",
        ),
        title="Dead letters, by the reason",
        unit="short",
        stacked=True,
    ),
    panel(
        "`undecodable`, `invalid_event`: a producer. `misdirected`: key or URL. `not_written`: the dead-letter topic.",
        (
            f'sum by (stage, kind) (rate(customfit_errors_total{{stage=~"decode|deliver|dead_letter"}}[{WINDOW}]))',
            "{{stage}}: {{kind}}",
        ),
        title="Errors of decoding, delivery and dead letters",
    ),
    burn(
        "Events that were delivered late. The first start on an old topic is above the lines, and rightly so.",
        "freshness",
        "",
        title="Late events: how fast their budget is spent",
    ),
    burn(
        "Dead letters, but for those that CUSTOMFIT_UNIDENTIFIED asks for.",
        "correctness",
        "",
        title="Dead letters: how fast their budget is spent",
    ),
    panel(
        "Below the red line nobody is woken, however large a part of all events these are.",
        ("customfit:freshness:bad_events6h", "late"),
        ("customfit:correctness:bad_events6h", "dead letters"),
        title="Late events and dead letters in 6 hours",
        unit="short",
        red="bad_events",
        of_group=True,
    ),
)
