{{/* What follows from the values; the same words as in `gatehouse render istio`. */}}

{{- define "gatehouse.namespace" -}}
{{- if eq .Values.shape "beside" }}{{ .Values.gateway.namespace }}{{ else }}{{ .Values.house.namespace | default .Release.Namespace }}{{ end }}
{{- end }}

{{- define "gatehouse.account" -}}
{{- .Values.gateway.serviceAccount | default .Values.gateway.name }}
{{- end }}

{{/* Labels of the gateway's pods. */}}
{{- define "gatehouse.selector" -}}
{{- .Values.gateway.labels | default (dict "istio" "ingressgateway") | toJson }}
{{- end }}

{{- define "gatehouse.image" -}}
{{- .Values.house.image | default (printf "gatehouse:%s" .Chart.AppVersion) }}
{{- end }}

{{- define "gatehouse.host" -}}
{{ .Values.name }}.{{ include "gatehouse.namespace" . }}.svc.cluster.local
{{- end }}

{{/* Envoy's name of the house's cluster. */}}
{{- define "gatehouse.cluster" -}}
{{- if eq .Values.shape "beside" }}gatehouse{{ else }}outbound|{{ .Values.house.port }}||{{ include "gatehouse.host" . }}{{ end }}
{{- end }}

{{/* A cluster's name in Istio holds `|`, which HTTP/2 libraries refuse in `:authority`. */}}
{{- define "gatehouse.authority" -}}
{{- if eq .Values.shape "beside" }}gatehouse{{ else }}{{ include "gatehouse.host" . }}{{ end }}
{{- end }}

{{- define "gatehouse.module" -}}
{{- if hasPrefix "file://" .Values.module.url }}{{ trimPrefix "file://" .Values.module.url }}{{ else }}/etc/gatehouse/module/gatehouse_http.wasm{{ end }}
{{- end }}

{{- define "gatehouse.failure" -}}
FAIL_{{ upper .Values.module.onFailure }}
{{- end }}

{{- define "gatehouse.bootstrap" -}}
house: { cluster: {{ include "gatehouse.cluster" . | quote }}, authority: {{ include "gatehouse.authority" . | quote }} }
whenNoPolicy: {{ .Values.house.whenNoPolicy }}
{{- end }}

{{- define "gatehouse.labels" -}}
app.kubernetes.io/name: {{ .Values.name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What Istio is told of what stands before the gateway; empty: nothing does. */}}
{{- define "gatehouse.topology" -}}
{{- $topology := dict }}
{{- if .Values.gateway.trustedProxies }}{{ $_ := set $topology "numTrustedProxies" (int .Values.gateway.trustedProxies) }}{{ end }}
{{- if .Values.gateway.proxyProtocol }}{{ $_ := set $topology "proxyProtocol" dict }}{{ end }}
{{- if $topology }}{{ dict "gatewayTopology" $topology | toJson }}{{ end }}
{{- end }}

{{/* The proxy's agent takes the house's metrics from loopback and gives them out with its own, on port 15020. */}}
{{- define "gatehouse.scraped" -}}
{{- if .Values.serviceMonitor.enabled }}
prometheus.io/scrape: "true"
prometheus.io/port: "9911"
prometheus.io/path: /metrics
{{- end }}
{{- end }}

{{- define "gatehouse.rights" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: {{ . }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "gatehouse.config" -}}
{{- $sinks := deepCopy .Values.sinks | default (dict "events" (dict "file" (dict "rotate" (dict "size" "64MiB" "keep" 4)))) }}
{{- with .Values.kafka }}
{{- if .brokers }}
{{- $sink := dict "brokers" .brokers "topic" .topic }}
{{- if or .tls.secret .tls.configMap }}
{{- $at := "/etc/gatehouse/kafka" }}
{{- $_ := set $sink "tls" (dict "ca" (printf "%s/%s" $at .tls.ca) "certificate" (printf "%s/%s" $at .tls.certificate) "key" (printf "%s/%s" $at .tls.key)) }}
{{- end }}
{{- $_ := set $sinks "kafka" (dict "behind" .behind "kafka" $sink) }}
{{- end }}
{{- end }}
data: /var/lib/gatehouse
{{- if eq .Values.shape "beside" }}
listen: { unix: {{ .Values.house.socket }}, mode: "0660" }
{{- else }}
# Plain on loopback: the proxy beside it ends mutual TLS, and lets in the gateway only (AuthorizationPolicy).
listen: { tcp: 127.0.0.1:7070 }
{{- end }}
policies: { folder: /etc/gatehouse/policies }
spool: { size: {{ if eq .Values.shape "beside" }}512MiB{{ else }}1GiB{{ end }} }
sinks:
  {{- toYaml $sinks | nindent 2 }}
access_log: json
log: { form: json }
{{- end }}

{{/* Volumes that both shapes have, without their names' prefix. */}}
{{- define "gatehouse.policies" -}}
{{- if .Values.policies.configMaps }}
projected:
  sources:
    - configMap: { name: {{ .Values.name }}-policies }
{{- range .Values.policies.configMaps }}
    - configMap: { name: {{ . }} }
{{- end }}
{{- else }}
configMap: { name: {{ .Values.name }}-policies }
{{- end }}
{{- end }}

{{- define "gatehouse.more-mounts" -}}
{{- if or .Values.kafka.tls.secret .Values.kafka.tls.configMap }}
- { name: gatehouse-kafka, mountPath: /etc/gatehouse/kafka, readOnly: true }
{{- end }}
{{- range .Values.house.volumeMounts }}
- {{ merge (dict "readOnly" true) . | toJson }}
{{- end }}
{{- end }}

{{- define "gatehouse.more-volumes" -}}
{{- with .Values.kafka.tls }}
{{- if .secret }}
- { name: gatehouse-kafka, secret: { secretName: {{ .secret }}, defaultMode: 0440 } }
{{- else if .configMap }}
- { name: gatehouse-kafka, configMap: { name: {{ .configMap }} } }
{{- end }}
{{- end }}
{{- with .Values.house.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The house in a gateway's pod; `own`: the proxy's container is the injector's to fill. */}}
{{- define "gatehouse.pod" -}}
{{- $own := .own }}
{{- with .root }}
{{- if not .Values.module.url }}
initContainers:
  # The module comes with the house's image, so that a registry which is away when a pod starts cannot keep it from the gateway.
  - name: gatehouse-module
    image: {{ include "gatehouse.image" . }}
    imagePullPolicy: IfNotPresent
    args: [module, {{ include "gatehouse.module" . }}]
    resources:
      requests: { cpu: 10m, memory: 32Mi }
      limits: { memory: 32Mi }
    securityContext:
      {{- include "gatehouse.rights" 1337 | nindent 6 }}
    volumeMounts:
      - { name: gatehouse-module, mountPath: {{ include "gatehouse.module" . | dir }} }
{{- end }}
containers:
  - name: istio-proxy
{{- if $own }}
    # The injector puts the proxy's image here.
    image: auto
    ports:
      - { containerPort: {{ .Values.gateway.http }}, name: http }
      - { containerPort: {{ .Values.gateway.https }}, name: https }
{{- end }}
    volumeMounts:
      - { name: gatehouse-run, mountPath: {{ dir .Values.house.socket }} }
{{- if not .Values.module.url }}
      - { name: gatehouse-module, mountPath: {{ include "gatehouse.module" . | dir }}, readOnly: true }
{{- end }}
  - name: gatehouse
    image: {{ include "gatehouse.image" . }}
    imagePullPolicy: IfNotPresent
    # A house that ends is started again inside its container, so that this pod stays ready whatever happens to it; no probe for the same
    # reason. At the end of the pod it goes on until the gateway has drained.
    args: [supervise, --linger, 30s, --, run, --config, /etc/gatehouse/house/house.yaml]
    resources:
      requests: { cpu: {{ .Values.house.cpu }}, memory: {{ .Values.house.memory }} }
      limits: { memory: {{ .Values.house.memory }} }
    securityContext:
      {{- include "gatehouse.rights" 1337 | nindent 6 }}
    volumeMounts:
      - { name: gatehouse-run, mountPath: {{ dir .Values.house.socket }} }
      - { name: gatehouse-data, mountPath: /var/lib/gatehouse }
      - { name: gatehouse-house, mountPath: /etc/gatehouse/house, readOnly: true }
      - { name: gatehouse-policies, mountPath: /etc/gatehouse/policies, readOnly: true }
{{- with include "gatehouse.more-mounts" . | trim }}{{ . | nindent 6 }}{{ end }}
volumes:
  - { name: gatehouse-run, emptyDir: { medium: Memory, sizeLimit: 1Mi } }
  - { name: gatehouse-data, emptyDir: { sizeLimit: {{ .Values.house.storage }} } }
  - { name: gatehouse-house, configMap: { name: {{ .Values.name }}-house } }
  - name: gatehouse-policies
    {{- include "gatehouse.policies" . | trim | nindent 4 }}
{{- if not .Values.module.url }}
  - { name: gatehouse-module, emptyDir: { sizeLimit: 8Mi } }
{{- end }}
{{- with include "gatehouse.more-volumes" . | trim }}{{ . | nindent 2 }}{{ end }}
{{- end }}
{{- end }}

{{/* The patch of a Deployment that is there already. */}}
{{- define "gatehouse.patch" -}}
spec:
  template:
{{- if or (include "gatehouse.topology" .) .Values.serviceMonitor.enabled }}
    metadata:
      annotations:
{{- with include "gatehouse.topology" . }}
        proxy.istio.io/config: {{ . | squote }}
{{- end }}
{{- with include "gatehouse.scraped" . | trim }}{{ . | nindent 8 }}{{ end }}
{{- end }}
    spec:
      # The group of the proxy: socket and module are its to read.
      securityContext: { fsGroup: 1337 }
      terminationGracePeriodSeconds: 60
      {{- include "gatehouse.pod" (dict "root" . "own" false) | trim | nindent 6 }}
{{- end }}

{{/* Whether the gate may go to the gateway: its module is where it looks for it. */}}
{{- define "gatehouse.gate" -}}
{{- if or .Values.module.url .Values.gateway.create .Values.gateway.patched }}yes{{ end }}
{{- end }}
