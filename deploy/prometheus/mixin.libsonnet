// For those who keep their rules in jsonnet, as monitoring mixins do: the same YAML, with another selector and address.
//
//   (import 'mixin.libsonnet') + { _config+:: { selector: 'namespace="segment",job="customfit"' } }
{
  _config+:: {
    // In every selector of a metric. Labels of its own do not become labels of the alerts: those have job.
    selector: 'job="customfit-consumer"',
    // The same of the metrics of `rekey`, which is a job of its own.
    rekeySelector: 'job="customfit-rekey"',
    // Where docs/runbook.md can be read.
    runbookUrl: 'docs/runbook.md',
  },

  local withConfig(text) = std.parseYaml(
    std.strReplace(
      std.strReplace(
        std.strReplace(text, 'job="customfit-consumer"', $._config.selector),
        'job="customfit-rekey"',
        $._config.rekeySelector,
      ),
      'docs/runbook.md#',
      $._config.runbookUrl + '#',
    )
  ),

  prometheusRules+:: {
    groups+: withConfig(importstr 'recording.yml').groups + withConfig(importstr 'scaling.yml').groups,
  },
  prometheusAlerts+:: { groups+: withConfig(importstr 'alerts.yml').groups },
}
