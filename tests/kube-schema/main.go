// Checks the Kubernetes resource of policies with the API server's own code: the definition is valid and structural, every long
// form on standard input passes it, and nothing of a long form is pruned.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"reflect"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	definition "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fail("usage: kube-schema DEFINITION < LONG-FORMS")
	}
	props := read(os.Args[1])
	structural, err := schema.NewStructural(props)
	if err != nil {
		fail("not structural: %v", err)
	}
	validator, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		fail("no validator: %v", err)
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail("standard input: %v", err)
	}
	count, wrong := 0, 0
	for _, document := range bytes.Split(text, []byte("---\n")) {
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		count++
		if !check(document, validator, structural) {
			wrong++
		}
	}
	fmt.Printf("%d long forms, %d refused or pruned\n", count, wrong)
	if count == 0 || wrong > 0 {
		os.Exit(1)
	}
}

// read gives the schema of the definition's only version, or ends the program with everything that is wrong with it.
func read(path string) *apiextensions.JSONSchemaProps {
	text, err := os.ReadFile(path)
	if err != nil {
		fail("%v", err)
	}
	var written v1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &written); err != nil {
		fail("%s: %v", path, err)
	}
	v1.SetDefaults_CustomResourceDefinition(&written)
	v1.SetDefaults_CustomResourceDefinitionSpec(&written.Spec)
	written.Status.StoredVersions = []string{"v1"}
	var crd apiextensions.CustomResourceDefinition
	if err := v1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&written, &crd, nil); err != nil {
		fail("%s: %v", path, err)
	}
	problems := definition.ValidateCustomResourceDefinition(context.Background(), &crd)
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	if len(problems) > 0 {
		fail("%s: %d problems", path, len(problems))
	}
	if own := crd.Spec.Versions[0].Schema; own != nil {
		return own.OpenAPIV3Schema
	}
	return crd.Spec.Validation.OpenAPIV3Schema
}

func check(document []byte, validator validation.SchemaValidator, structural *schema.Structural) bool {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false
	}
	var object map[string]interface{}
	if err := json.Unmarshal(text, &object); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false
	}
	problems := validation.ValidateCustomResource(nil, object, validator)
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	before := runtime.DeepCopyJSON(object)
	pruning.Prune(object, structural, true)
	if !reflect.DeepEqual(before, object) {
		fmt.Fprintf(os.Stderr, "pruned:\n%s", document)
		return false
	}
	return len(problems) == 0
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
