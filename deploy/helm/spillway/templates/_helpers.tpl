{{- define "spillway.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "spillway.labels" -}}
{{ include "spillway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "spillway.name" -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* proxy.yaml: what the pod needs, and over it the values' spillway.config. */}}
{{- define "spillway.config" -}}
{{- $needed := dict "upstream" (dict "address" (printf "127.0.0.1:%v" .Values.api.port)) "admin" (dict "listen" "0.0.0.0:9901") "timeouts" (dict "drain" "30s" "drain_delay" "5s") "limits" (dict "connections" 2000 "buffered" "32MiB" "http2" (dict "memory" "32MiB")) -}}
{{ mergeOverwrite $needed (deepCopy .Values.spillway.config) | toYaml }}
{{- end }}
