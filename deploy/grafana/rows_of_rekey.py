"""The row of `rekey`, empty where none runs. Each panel begins with what is read off it."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panel import WINDOW, panel, stat

_OPEN: Final = f"sum by (instance) (rate(customfit_rekey_transaction_seconds_total[{WINDOW}]))"
_ENDED: Final = f"sum by (instance) (rate(customfit_rekey_transactions_total[{WINDOW}]))"
REKEY: Final = (
    stat(
        "0 while members read what it writes: nothing new reaches them. Their own lag does not show it.",
        "sum by (job) (customfit_rekey_ready)",
        "ready",
        title="`rekey` that is ready",
        red=1,
        below=True,
        of_rekey=True,
    ),
    stat(
        "Fewer than answer: some members read the topic as it was produced, with CUSTOMFIT_REKEYED=false.",
        "sum by (job) (customfit_rekeyed)",
        "read it",
        title="Members that read what `rekey` writes",
        of_group=True,
    ),
    stat(
        "Comes on top of the group's own lag. Red for minutes: CustomfitRekeyBehind fires, unless it catches up.",
        "max by (job) (customfit_rekey_lag_seconds)",
        "oldest",
        title="Oldest record that `rekey` has not written",
        red="late_seconds",
        of_rekey=True,
    ),
    stat(
        "Each came more than CUSTOMFIT_REKEY_WAIT_SECONDS too late. If it was its user's, order is not what it was.",
        f"sum by (job) (increase(customfit_rekey_older_records_total[{WINDOW}]))",
        "records",
        title="Records written behind a newer one",
        unit="short",
        of_rekey=True,
    ),
    stat(
        "Kafka refuses something; the log line `rekey_aborted` says what. Nothing is lost by it, or written twice.",
        f'sum by (job) (increase(customfit_rekey_transactions_total{{result="aborted"}}[{WINDOW}]))',
        "aborted",
        title="Transactions that were aborted",
        unit="short",
        red=1,
        of_rekey=True,
    ),
    stat(
        "What the group is given to deliver. Above what is read: batches are split into their events.",
        f"sum by (job) (rate(customfit_rekey_written_records_total[{WINDOW}]))",
        "written",
        of_rekey=True,
    ),
    panel(
        "One partition alone: it has no leader, or its next record waits for a schema. All: it is at its limit.",
        ("max by (topic, partition) (customfit_rekey_lag_seconds)", "{{topic}}-{{partition}}"),
        title="Age of the oldest record that `rekey` has not written",
        red="late_seconds",
        of_rekey=True,
    ),
    panel(
        "How much is left to do. After an outage its slope says when it will be over.",
        ("max by (topic, partition) (customfit_rekey_lag_events)", "{{topic}}-{{partition}}"),
        title="Records that `rekey` has not written",
        of_rekey=True,
    ),
    panel(
        "`passed_on` has no user or can't be read: `run` counts it, or makes it a dead letter. `split`: a batch.",
        (f"sum by (end) (rate(customfit_rekey_records_total[{WINDOW}]))", "{{end}}"),
        title="Records of the source, by what became of them",
        stacked=True,
        of_rekey=True,
    ),
    panel(
        "Several a second while records arrive, however many. None while they wait: Kafka does not answer.",
        (f"sum by (result) (rate(customfit_rekey_transactions_total[{WINDOW}]))", "{{result}}"),
        title="Transactions of `rekey`",
        of_rekey=True,
    ),
    panel(
        "Mostly below 100 ms. Longer: brokers are slow to commit, and each event is delivered so much later.",
        (f"{_OPEN} / {_ENDED}", "{{instance}}"),
        title="How long a transaction of `rekey` is open",
        of_rekey=True,
    ),
    panel(
        "High and level: partitions pause at CUSTOMFIT_BUFFER_EVENTS_MAX, since it writes more slowly than it reads.",
        ("sum by (instance) (customfit_rekey_waiting_records)", "{{instance}}"),
        title="Records that wait in `rekey`",
        of_rekey=True,
    ),
    panel(
        "Partitions pause at CUSTOMFIT_BUFFER_BYTES_MAX. Memory levels off well below the container's limit.",
        ("sum by (instance) (customfit_rekey_waiting_bytes)", "waiting at {{instance}}"),
        ("max by (instance) (process_resident_memory_bytes)", "memory of {{instance}}"),
        title="Bytes that wait in `rekey`, and its memory",
        of_rekey=True,
    ),
    panel(
        "Near 1 it is at its limit. Another one shares the partitions; docs/rekey.md says what that costs.",
        (f"sum by (instance) (rate(process_cpu_seconds_total[{WINDOW}]))", "{{instance}}"),
        title="Cores in use by `rekey`",
        unit="none",
        of_rekey=True,
    ),
)
