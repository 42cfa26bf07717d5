// The version of KEDA against whose resource definitions the manifests are checked.
module orderflow.dev/tests/keda-crds

go 1.26.0

require github.com/kedacore/keda/v2 v2.20.2
