package main

import (
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

type customKind struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
}

// customKinds reads published CustomResourceDefinitions.
func customKinds(files []string) (map[runtimeschema.GroupVersionKind]customKind, error) {
	kinds := map[runtimeschema.GroupVersionKind]customKind{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var published apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(text, &published); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, version := range published.Spec.Versions {
			var properties apiextensions.JSONSchemaProps
			if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
				version.Schema.OpenAPIV3Schema, &properties, nil); err != nil {
				return nil, err
			}
			structural, err := schema.NewStructural(&properties)
			if err != nil {
				return nil, err
			}
			validator, _, err := validation.NewSchemaValidator(&properties)
			if err != nil {
				return nil, err
			}
			kind := runtimeschema.GroupVersionKind{
				Group: published.Spec.Group, Version: version.Name, Kind: published.Spec.Names.Kind}
			kinds[kind] = customKind{structural, validator}
		}
	}
	return kinds, nil
}

// customProblems are fields that the published schema does not have, and values that it does not take.
func (kind customKind) problems(object *object) []string {
	var problems []string
	options := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	pruned := object.DeepCopy().Object
	for _, path := range pruning.PruneWithOptions(pruned, kind.structural, true, options) {
		problems = append(problems, fmt.Sprintf("unknown field %q", path))
	}
	for _, problem := range validation.ValidateCustomResource(nil, object.Object, kind.validator) {
		problems = append(problems, problem.Error())
	}
	return problems
}
