{{- /* The name of everything: the release's, with the chart's in it. */}}
{{- define "customfit.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* A value as a variable has it. Helm reads 1000000 as a float, and would write 1e+06. */}}
{{- define "customfit.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- /* A file of base, overlays or components, with this release's name in it and its labels: (list $ "base/x.yaml"). */}}
{{- define "customfit.source" -}}
{{- $root := index . 0 -}}
{{- $name := include "customfit.name" $root -}}
{{- $text := $root.Files.Get (index . 1) -}}
{{- $text = $text | replace "app.kubernetes.io/instance: customfit-consumer" (printf "app.kubernetes.io/instance: %s" $name) -}}
{{- $text = $text | replace "job=\"customfit-consumer\"" (printf "job=\"%s\"" $name) -}}
{{- $text = $text | replace "job=\\\"customfit-consumer\\\"" (printf "job=\\\"%s\\\"" $name) -}}
{{- $object := $text | fromYaml -}}
{{- $_ := set $object.metadata "name" $name -}}
{{- $labels := dict "app.kubernetes.io/managed-by" $root.Release.Service "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version) -}}
{{- $_ := set $object.metadata "labels" (merge $labels $object.metadata.labels) -}}
{{ toYaml $object }}
{{- end }}
