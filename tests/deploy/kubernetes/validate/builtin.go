package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podoptions "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
)

var strict = serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict).UniversalDecoder()

// isBuiltIn says whether the API server itself knows the kind.
func isBuiltIn(object *object) bool {
	return legacyscheme.Scheme.Recognizes(object.GroupVersionKind())
}

// builtInProblems decodes as the API server does, defaults included, and asks its own validation. The second value is
// the object as the server would store it.
func builtInProblems(object *object) (field.ErrorList, runtime.Object, error) {
	decoded, _, err := strict.Decode(object.json, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	problems, err := validated(decoded)
	return problems, decoded, err
}

func validated(decoded runtime.Object) (field.ErrorList, error) {
	switch one := decoded.(type) {
	case *apps.Deployment:
		inNamespace(&one.Namespace)
		options := podoptions.GetValidationOptionsFromPodTemplate(&one.Spec.Template, nil)
		return appsvalidation.ValidateDeployment(one, options), nil
	case *apps.StatefulSet:
		inNamespace(&one.Namespace)
		options := podoptions.GetValidationOptionsFromPodTemplate(&one.Spec.Template, nil)
		return appsvalidation.ValidateStatefulSet(one, appsvalidation.StatefulSetValidationOptions{}, options), nil
	case *policy.PodDisruptionBudget:
		inNamespace(&one.Namespace)
		return policyvalidation.ValidatePodDisruptionBudget(one, policyvalidation.PodDisruptionBudgetValidationOptions{}), nil
	case *networking.NetworkPolicy:
		inNamespace(&one.Namespace)
		return networkingvalidation.ValidateNetworkPolicy(one, networkingvalidation.NetworkPolicyValidationOptions{}), nil
	case *core.Service:
		inNamespace(&one.Namespace)
		one.Spec.ClusterIPs = []string{one.Spec.ClusterIP} // as the server does before it validates
		return corevalidation.ValidateServiceCreate(one), nil
	case *core.Namespace:
		return corevalidation.ValidateNamespace(one), nil
	case *core.Secret:
		inNamespace(&one.Namespace)
		return corevalidation.ValidateSecret(one), nil
	default:
		return nil, fmt.Errorf("nobody wrote here how a %T is validated", decoded)
	}
}

// inNamespace gives the namespace that the client would name.
func inNamespace(namespace *string) {
	if *namespace == "" {
		*namespace = "default"
	}
}
