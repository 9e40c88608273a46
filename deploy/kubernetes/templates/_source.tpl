{{- /* The name of everything: the release's, with the chart's in it. */}}
{{- define "customfit.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* The name of what belongs to `rekey`: the same, with customfit-rekey in it. */}}
{{- define "customfit.rekey" -}}
{{- $name := include "customfit.name" . -}}
{{- if contains .Chart.Name $name -}}
{{ $name | replace .Chart.Name "customfit-rekey" }}
{{- else -}}
{{ printf "%s-rekey" $name }}
{{- end }}
{{- end }}

{{- /* A value as a variable has it. Helm reads 1000000 as a float, and would write 1e+06. */}}
{{- define "customfit.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- /* A file of base, overlays or components, with this release's names in it and its labels: (list $ "base/x.yaml"). */}}
{{- define "customfit.source" -}}
{{- $root := index . 0 -}}
{{- $text := $root.Files.Get (index . 1) -}}
{{- $names := dict "customfit-rekey" (include "customfit.rekey" $root) "customfit-consumer" (include "customfit.name" $root) -}}
{{- range $ours := list "customfit-rekey" "customfit-consumer" -}}
{{- $name := get $names $ours -}}
{{- $text = $text | replace (printf "app.kubernetes.io/instance: %s" $ours) (printf "app.kubernetes.io/instance: %s" $name) -}}
{{- $text = $text | replace (printf "job=\"%s\"" $ours) (printf "job=\"%s\"" $name) -}}
{{- $text = $text | replace (printf "job=\\\"%s\\\"" $ours) (printf "job=\\\"%s\\\"" $name) -}}
{{- end -}}
{{- $object := $text | fromYaml -}}
{{- $_ := set $object.metadata "name" (get $names $object.metadata.name) -}}
{{- $labels := dict "app.kubernetes.io/managed-by" $root.Release.Service "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version) -}}
{{- $_ := set $object.metadata "labels" (merge $labels $object.metadata.labels) -}}
{{ toYaml $object }}
{{- end }}

{{- /* Puts what the values say of every pod into a workload: (list $ $workload $env $settings $resources). */}}
{{- define "customfit.given" -}}
{{- $root := index . 0 -}}
{{- $workload := index . 1 -}}
{{- $template := $workload.spec.template -}}
{{- $container := first $template.spec.containers -}}
{{- $version := $root.Values.image.tag | default $root.Chart.AppVersion -}}
{{- $_ := set $container "image" (printf "%s:%s" $root.Values.image.repository $version) -}}
{{- $_ := set $container "imagePullPolicy" $root.Values.image.pullPolicy -}}
{{- range list $workload.metadata $template.metadata -}}
{{- $_ := set .labels "app.kubernetes.io/version" (trunc 63 $version) -}}
{{- end -}}
{{- range $template.spec.volumes -}}
{{- if eq .name "secret" -}}
{{- $_ := set .secret "secretName" ($root.Values.secretName | default (include "customfit.name" $root)) -}}
{{- end -}}
{{- end -}}
{{- $settings := deepCopy (index . 3) -}}
{{- $given := list -}}
{{- range index . 2 -}}
{{- if hasKey $settings .name -}}
{{- $given = append $given (dict "name" .name "value" (include "customfit.text" (get $settings .name))) -}}
{{- $_ := unset $settings .name -}}
{{- else -}}
{{- $given = append $given . -}}
{{- end -}}
{{- end -}}
{{- range $setting := keys $settings | sortAlpha -}}
{{- $given = append $given (dict "name" $setting "value" (include "customfit.text" (get $settings $setting))) -}}
{{- end -}}
{{- $_ := set $container "env" (concat $root.Values.env $given) -}}
{{- with index . 4 -}}
{{- $_ := set $container "resources" . -}}
{{- end -}}
{{- $_ := set $template.metadata "annotations" (merge (deepCopy $root.Values.podAnnotations) $template.metadata.annotations) -}}
{{- $_ := set $template "spec" (mergeOverwrite $template.spec (deepCopy $root.Values.pod)) -}}
{{- end }}

{{- /* Such a file of what Prometheus reads, with the labels by which it selects. */}}
{{- define "customfit.monitoring" -}}
{{- $object := include "customfit.source" . | fromYaml -}}
{{- $_ := set $object.metadata "labels" (merge (deepCopy (index . 0).Values.monitoringLabels) $object.metadata.labels) -}}
{{ toYaml $object }}
{{- end }}

{{- /* Such a file of a NetworkPolicy, with the namespace that it lets in. */}}
{{- define "customfit.policy" -}}
{{- $policy := include "customfit.source" . | fromYaml -}}
{{- $from := first (first $policy.spec.ingress).from -}}
{{- $_ := set $from.namespaceSelector.matchLabels "kubernetes.io/metadata.name" (index . 0).Values.networkPolicy.monitoringNamespace -}}
{{ toYaml $policy }}
{{- end }}
