// Command validate renders the manifests of deploy/kubernetes, and says what a cluster would refuse of them.
//
//	validate kustomize FOLDER
//	validate helm FOLDER RELEASE [VALUES_FILE]
//	validate check [CRD_FILE]...          reads manifests from standard input; one problem a line, exit code 1
//
// It judges by the API server's own code: strict decoding, defaults and validation of the built-in kinds, the published
// schemas of the others. Then by what no schema can say: whether the objects fit one another.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("kustomize, helm or check?")
	}
	switch command, rest := arguments[0], arguments[1:]; {
	case command == "kustomize" && len(rest) == 1:
		return printed(kustomized(rest[0]))
	case command == "helm" && len(rest) >= 2:
		return printed(helmed(rest[0], rest[1], rest[2:]))
	case command == "check":
		manifests, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		problems, err := problemsOf(manifests, rest)
		for _, problem := range problems {
			fmt.Println(problem)
		}
		if len(problems) > 0 {
			os.Exit(1)
		}
		return err
	default:
		return fmt.Errorf("kustomize FOLDER, helm FOLDER RELEASE [VALUES_FILE] or check [CRD_FILE]...")
	}
}

func printed(manifests []byte, err error) error {
	if err == nil {
		_, err = os.Stdout.Write(manifests)
	}
	return err
}
