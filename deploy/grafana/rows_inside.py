"""The rows that look inside: order guarantee, loop, Kafka, process. Each panel begins with what is read off it."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panel import WINDOW, panel

ORDER: Final = (
    panel(
        "How many wait for an identify. After many new users a hill as long as CUSTOMFIT_HOLD_SECONDS is usual.",
        ("sum by (instance) (customfit_held_events)", "events at {{instance}}"),
        ("sum by (instance) (customfit_held_users)", "users at {{instance}}"),
        title="Events and users that wait for an identify",
    ),
    panel(
        "Never much above CUSTOMFIT_HOLD_SECONDS: then a user is introduced, or the event becomes a dead letter.",
        ("max by (instance) (customfit_oldest_held_seconds)", "{{instance}}"),
    ),
    panel(
        "Introductions: users whose identify did not come. Holds cut short: the buffer is too small for the hold.",
        (f"sum by (job) (rate(customfit_introductions_total[{WINDOW}]))", "introductions"),
        (f"sum by (job) (rate(customfit_hold_cut_short_total[{WINDOW}]))", "holds cut short"),
        title="Introductions, and holds cut short",
    ),
    panel(
        "Users who fail while others succeed. `/status` lists those that wait longest, with CustomFit's last answer.",
        ("max by (instance) (customfit_users_retrying)", "{{instance}}"),
    ),
    panel(
        "Grows with new users. If it is far lower after a restart, the state was lost: look at the state topic.",
        ("sum by (job) (customfit_identified_users)", "users"),
    ),
    panel(
        "What producers send. If `undecodable` or `unknown` begin suddenly, a producer has changed its format.",
        (f"sum by (type) (rate(customfit_events_consumed_total[{WINDOW}]))", "{{type}}"),
        stacked=True,
    ),
    panel(
        "Left out on purpose. A jump of `integrations` or `anonymous`: a producer or a setting has changed.",
        (f'sum by (reason) (rate(customfit_events_finished_total{{outcome="skipped"}}[{WINDOW}]))', "{{reason}}"),
        title="Events skipped, by the reason",
        stacked=True,
    ),
    panel(
        "Broken text that producers send, such as half an emoji. It is replaced, and nothing has to be done.",
        (f"sum by (job) (rate(customfit_surrogates_replaced_total[{WINDOW}]))", "replaced"),
        title="Broken characters, replaced",
    ),
    panel(
        "Record headers that `CUSTOMFIT_FORWARD_HEADERS` names and HTTP can't carry. The request went without them.",
        (f"sum by (reason) (rate(customfit_headers_not_forwarded_total[{WINDOW}]))", "{{reason}}"),
        title="Headers not forwarded, by the reason",
    ),
    panel(
        "Of the filters and the paths that are left out or hashed. A rule at 0 all day may be mistyped.",
        (f"sum by (setting, rule) (rate(customfit_filter_matched_total[{WINDOW}]))", "{{setting}}: {{rule}}"),
        title="How often each rule of what is not sent matches",
    ),
    panel(
        "Without the user's id as key, one user's events may lie in several partitions: docs/rekey.md.",
        (f"sum by (key) (rate(customfit_records_keyed_total[{WINDOW}]))", "{{key}}"),
        title="Records by their key",
    ),
)

_OF_LOOP: Final = f"sum by (job) (rate(customfit_loop_cpu_seconds_total[{WINDOW}]))"
LOOP: Final = (
    panel(
        "The loop is one thread. Near 1 it is the limit: add a member. Low beside a lag: it waits for others.",
        (f"rate(customfit_loop_cpu_seconds_total[{WINDOW}])", "loop at {{instance}}"),
        (
            f"rate(process_cpu_seconds_total[{WINDOW}]) - rate(customfit_loop_cpu_seconds_total[{WINDOW}])",
            "other threads at {{instance}}",
        ),
        title="Cores in use: the loop, and the other threads",
        unit="none",
        stacked=True,
    ),
    panel(
        "It turns once a second. Above the red line it hangs: nothing is delivered, and the member must be restarted.",
        ("max by (instance) (customfit_loop_silent_seconds)", "{{instance}}"),
        title="Time since the loop last turned",
        red="stuck_seconds",
    ),
    panel(
        "Hardly changes under load. Higher: larger events, smaller requests or retries. Without load: means nothing.",
        (f"{_OF_LOOP} / sum by (job) (rate(customfit_events_finished_total[{WINDOW}]))", "an event"),
        title="CPU time of the loop for one event",
        unit="s",
    ),
    panel(
        "In flight at the limit: the loop waits for CustomFit. A limit that falls: CustomFit fails or answers 429.",
        ("sum by (instance) (customfit_requests_in_flight)", "in flight at {{instance}}"),
        ("sum by (instance) (customfit_requests_in_flight_limit)", "limit at {{instance}}"),
        title="Requests that wait for their answer, and their limit",
    ),
    panel(
        "Your own limit, CUSTOMFIT_REQUESTS_PER_SECOND_MAX. Shares below it in all: nobody reads some partitions.",
        ("max by (job) (customfit_rate_limit) > 0", "limit of the group"),
        ("sum by (instance) (customfit_rate_share) > 0", "share of {{instance}}"),
        title="Requests a second that may start",
        unit="reqps",
    ),
    panel(
        "Near 1: requests wait for your own limit all the time, and nothing else helps than a higher one.",
        (f"sum by (instance) (rate(customfit_rate_wait_seconds_total[{WINDOW}]))", "{{instance}}"),
        title="Part of the time in which requests wait for your own limit",
    ),
    panel(
        "In memory at the limit: nothing is fetched until answers come. Far more in hand: writes are awaited.",
        ("sum by (instance) (customfit_buffer_events)", "in memory at {{instance}}"),
        ("sum by (instance) (customfit_buffer_events_limit)", "limit at {{instance}}"),
        ("sum by (instance) (customfit_events_unfinished)", "in hand at {{instance}}"),
        title="Events in hand, and the limit of the buffer",
    ),
    panel(
        "Why it does not fetch. `buffer` and `commits` stop all partitions, the other reasons single ones.",
        ("sum by (reason) (customfit_paused)", "{{reason}}"),
        stacked=True,
    ),
)

KAFKA: Final = (
    panel(
        "Each member's share of each topic. Shares that differ by more than one: look at the group's assignor.",
        ("sum by (instance, topic) (customfit_partitions_assigned)", "{{topic}} at {{instance}}"),
        title="Partitions assigned",
    ),
    panel(
        "Empty is well. A partition here stands still until somebody acts; `/readyz` has the command.",
        ("max by (topic, partition, cause) (customfit_partition_stopped) == 1", "{{topic}}-{{partition}}: {{cause}}"),
        title="Partitions that stand still until somebody acts",
        kind="state-timeline",
        red=1,
    ),
    panel(
        "A few with each deployment. Above the red line a member comes and goes: look for the one that restarts.",
        ('sum by (instance) (increase(customfit_rebalances_total{event="assigned"}[15m]))', "{{instance}}"),
        title="Rebalances in 15 minutes",
        unit="short",
        red="rebalances",
    ),
    panel(
        "Only `error`: what is delivered now is sent again after a restart, and soon nothing more is sent.",
        (f"sum by (result) (rate(customfit_commits_total[{WINDOW}]))", "{{result}}"),
    ),
    panel(
        "Near CUSTOMFIT_COMMIT_INTERVAL_SECONDS while events arrive. It grows when there is nothing to commit.",
        ("time() - max by (instance) (customfit_last_commit_timestamp_seconds > 0)", "{{instance}}"),
        title="Time since a commit was accepted",
    ),
    panel(
        "Above 0 for minutes: a producer has not ended its transaction. docs/operations.md says how to end it.",
        ("max by (topic, partition) (customfit_blocked_by_transaction_events)", "{{topic}}-{{partition}}"),
    ),
    panel(
        "Falls to 0 after a start or a rebalance. If it stands still, look at the state topic.",
        ("max by (topic, partition) (customfit_restore_remaining_records)", "{{topic}}-{{partition}}"),
    ),
    panel(
        "A jump is a take-over, as high as what had to be read for it. Low with CUSTOMFIT_STANDBY=all.",
        (f"sum by (instance) (increase(customfit_restored_records_total[{WINDOW}]))", "{{instance}}"),
        title="Records of the state read to take partitions over",
        unit="short",
    ),
    panel(
        "CUSTOMFIT_STANDBY=all: what a take-over would have to read. A hill after a start; else near 0.",
        (
            "customfit_standby_behind_records and on (instance) customfit_standby_partitions > 0",
            "not copied yet at {{instance}}",
        ),
        (f"sum by (instance) (rate(customfit_standby_records_total[{WINDOW}])) > 0", "copied a second at {{instance}}"),
        title="Other members' state: not copied yet, and copied a second",
    ),
    panel(
        "`denied`: an access list. `client`: brokers that can't be reached. `not_written`: the state topic.",
        (
            f'sum by (stage, kind) (rate(customfit_errors_total{{stage=~"state|commit|kafka"}}[{WINDOW}]))',
            "{{stage}}: {{kind}}",
        ),
        title="Errors of Kafka, commits and the state",
    ),
)

PROCESS: Final = (
    panel(
        "Levels off well below the container's limit. One that climbs for days is a leak: report it before a restart.",
        ("max by (instance) (process_resident_memory_bytes)", "{{instance}}"),
        title="Memory",
    ),
    panel(
        "Near 100 % new connections fail.",
        ("max by (instance) (process_open_fds / process_max_fds)", "{{instance}}"),
        title="Open files and sockets, of those allowed",
        unit="percentunit",
    ),
    panel(
        "Falls to 0 at each start. Often: it crashes or is killed; the end of its log and its exit code say why.",
        ("time() - max by (instance) (process_start_time_seconds)", "{{instance}}"),
        title="Time since the start",
    ),
    panel(
        "Follows the load. Generation 2 far more often than before: many more objects are alive.",
        (f"sum by (generation) (rate(python_gc_collections_total[{WINDOW}]))", "generation {{generation}}"),
        title="Garbage collections",
    ),
    panel(
        "Long in `starting`: it waits for Kafka. Long in `draining`: it waits for answers before it ends.",
        ("max by (instance, phase) (customfit_phase) == 1", "{{phase}} at {{instance}}"),
        title="Phase of each process",
        kind="state-timeline",
    ),
    panel(
        "Two versions at once: a deployment is under way, or was left half done.",
        ("max by (instance, version, python, librdkafka) (customfit_build_info)", "{{version}}"),
        title="What runs",
        kind="table",
    ),
)
