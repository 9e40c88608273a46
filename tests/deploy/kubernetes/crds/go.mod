// The modules whose published CustomResourceDefinitions the manifests are held against. Only their files are read.
module customfit-consumer/crds

go 1.26.0

require (
	github.com/kedacore/keda/v2 v2.21.0
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
