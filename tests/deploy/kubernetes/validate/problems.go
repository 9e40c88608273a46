package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"bufio"
	"bytes"
	"errors"
	"io"
)

// object is one manifest.
type object struct {
	unstructured.Unstructured
	json []byte
}

func (one *object) String() string { return one.GetKind() + " " + one.GetName() }

// read splits the stream of YAML documents.
func read(manifests []byte) ([]*object, error) {
	var objects []*object
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := utilyaml.ToJSON(document)
		if err != nil {
			return nil, err
		}
		if string(text) == "null" {
			continue
		}
		one := &object{json: text}
		if err := one.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		objects = append(objects, one)
	}
}

// problemsOf is everything that is wrong with the manifests, one sentence each.
func problemsOf(manifests []byte, crdFiles []string) ([]string, error) {
	objects, err := read(manifests)
	if err != nil {
		return nil, err
	}
	kinds, err := customKinds(crdFiles)
	if err != nil {
		return nil, err
	}
	var problems []string
	say := func(one *object, text string) { problems = append(problems, fmt.Sprintf("%s: %s", one, text)) }
	stored := map[*object]runtime.Object{}
	for _, one := range objects {
		kind, isKnown := kinds[one.GroupVersionKind()]
		switch {
		case isKnown:
			for _, text := range kind.problems(one) {
				say(one, text)
			}
		case isBuiltIn(one):
			found, decoded, err := builtInProblems(one)
			if err != nil {
				say(one, err.Error())
			}
			for _, problem := range found {
				say(one, problem.Error())
			}
			if decoded != nil {
				stored[one] = decoded
			}
		default:
			say(one, "no schema of this kind was given")
		}
	}
	for one, text := range misfits(objects, stored) {
		say(one, text)
	}
	return problems, nil
}
