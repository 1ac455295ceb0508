{{- define "commons.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
spec:
  selector: {matchLabels: {app: {{ .Chart.Name }}}}
  template:
    metadata: {labels: {app: {{ .Chart.Name }}}}
    spec:
      containers:
        - name: main
          image: {{ .Values.image }}
          {{- with .Values.probe }}
          livenessProbe:
            httpGet: {path: {{ . }}, port: 8080}
          {{- end }}
{{- end -}}
{{- define "commons.merge" -}}
{{- $top := first . -}}
{{- $over := fromYaml (include (index . 1) $top) | default (dict) -}}
{{- $base := fromYaml (include (index . 2) $top) | default (dict) -}}
{{- toYaml (merge $over $base) -}}
{{- end -}}
