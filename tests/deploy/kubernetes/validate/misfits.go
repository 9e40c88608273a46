package main

import (
	"fmt"
	"iter"

	apiv1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/core"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	podpolicy "k8s.io/pod-security-admission/policy"
)

// misfits are what no object says alone: a selector that selects no pod, a port or a target that is not there. A cluster
// takes such objects, and they do nothing. And pods that a namespace with the level "restricted" would not admit.
func misfits(objects []*object, stored map[*object]runtime.Object) iter.Seq2[*object, string] {
	return func(yield func(*object, string) bool) {
		pods := map[*object]*core.PodTemplateSpec{}
		for one, decoded := range stored {
			switch workload := decoded.(type) {
			case *apps.Deployment:
				pods[one] = &workload.Spec.Template
			case *apps.StatefulSet:
				pods[one] = &workload.Spec.Template
			}
		}
		for one, template := range pods {
			for _, text := range notRestricted(template) {
				if !yield(one, text) {
					return
				}
			}
		}
		for _, one := range objects {
			for _, text := range misfit(one, objects, pods) {
				if !yield(one, text) {
					return
				}
			}
		}
	}
}

func misfit(one *object, objects []*object, pods map[*object]*core.PodTemplateSpec) []string {
	switch one.GetKind() {
	case "PodDisruptionBudget":
		_, problems := selected(one, pods, "spec", "selector")
		return problems
	case "NetworkPolicy":
		_, problems := selected(one, pods, "spec", "podSelector")
		return problems
	case "PodMonitor":
		template, problems := selected(one, pods, "spec", "selector")
		if template == nil {
			return problems
		}
		endpoints, _, _ := unstructured.NestedSlice(one.Object, "spec", "podMetricsEndpoints")
		for _, endpoint := range endpoints {
			name, _, _ := unstructured.NestedString(endpoint.(map[string]any), "port")
			if !hasPort(template, name) {
				problems = append(problems, fmt.Sprintf("no container has a port named %q", name))
			}
		}
		return problems
	case "ScaledObject":
		kind, isSet, _ := unstructured.NestedString(one.Object, "spec", "scaleTargetRef", "kind")
		if !isSet {
			kind = "Deployment" // KEDA's default
		}
		name, _, _ := unstructured.NestedString(one.Object, "spec", "scaleTargetRef", "name")
		for _, other := range objects {
			if other.GetKind() == kind && other.GetName() == name {
				return nil
			}
		}
		return []string{fmt.Sprintf("there is no %s %s to scale", kind, name)}
	default:
		return nil
	}
}

// selected is the template of the pods that a selector is about.
func selected(one *object, pods map[*object]*core.PodTemplateSpec, path ...string) (*core.PodTemplateSpec, []string) {
	found, _, _ := unstructured.NestedMap(one.Object, path...)
	var given metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found, &given); err != nil {
		return nil, []string{err.Error()}
	}
	selector, err := metav1.LabelSelectorAsSelector(&given)
	if err != nil {
		return nil, []string{err.Error()}
	}
	for _, template := range pods {
		if selector.Matches(labels.Set(template.Labels)) {
			return template, nil
		}
	}
	return nil, []string{fmt.Sprintf("its selector %q selects no pod", selector)}
}

func hasPort(template *core.PodTemplateSpec, name string) bool {
	for _, container := range template.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name {
				return true
			}
		}
	}
	return false
}

// notRestricted asks the code that admits pods by Pod Security Standards.
func notRestricted(template *core.PodTemplateSpec) []string {
	var pod apiv1.PodTemplateSpec
	if err := corev1.Convert_core_PodTemplateSpec_To_v1_PodTemplateSpec(template, &pod, nil); err != nil {
		return []string{err.Error()}
	}
	evaluator, err := podpolicy.NewEvaluator(podpolicy.DefaultChecks(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	var problems []string
	for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			problems = append(problems, fmt.Sprintf("not restricted: %s: %s", result.ForbiddenReason, result.ForbiddenDetail))
		}
	}
	return problems
}
