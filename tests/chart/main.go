// Renders the chart's templates where there is no helm: with Go's own template engine, which is Helm's, and those of its functions that
// the chart uses. What Helm does besides (defaults, schema, hooks) is not done here; values come complete, as JSON.
//
//	go run main.go CHART NAMESPACE < values.json
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"
)

func main() {
	if err := render(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func render(chart, namespace string) error {
	var values map[string]interface{}
	if err := json.NewDecoder(os.Stdin).Decode(&values); err != nil {
		return err
	}

	files, err := filepath.Glob(filepath.Join(chart, "templates", "*.yaml"))
	if err != nil {
		return err
	}

	data := map[string]interface{}{"Values": values, "Release": map[string]interface{}{"Namespace": namespace, "Name": "fairlead"}}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}

		parsed, err := template.New(filepath.Base(file)).Option("missingkey=error").Funcs(functions).Parse(string(text))
		if err != nil {
			return err
		}

		fmt.Println("---")
		if err := parsed.Execute(os.Stdout, data); err != nil {
			return err
		}

		fmt.Println()
	}

	return nil
}

var functions = template.FuncMap{
	"append": func(list []interface{}, item interface{}) []interface{} {
		return append(append([]interface{}{}, list...), item)
	},
	"has": func(item interface{}, list []interface{}) bool {
		for _, one := range list {
			if one == item {
				return true
			}
		}

		return false
	},
	"join": func(separator string, list []interface{}) string {
		texts := make([]string, len(list))
		for i, one := range list {
			texts[i] = fmt.Sprint(one)
		}

		return strings.Join(texts, separator)
	},
	"nindent": func(spaces int, text string) string {
		indent := "\n" + strings.Repeat(" ", spaces)
		return indent + strings.ReplaceAll(text, "\n", indent)
	},
	"quote": func(text interface{}) string { return scalar(fmt.Sprint(text)) },
	"required": func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, errors.New(message)
		}

		return value, nil
	},
	"toYaml": func(value interface{}) string { return strings.TrimSuffix(block(value, ""), "\n") },
	"uniq": func(list []interface{}) []interface{} {
		unique := []interface{}{}
		for _, one := range list {
			seen := false
			for _, other := range unique {
				seen = seen || other == one
			}

			if !seen {
				unique = append(unique, one)
			}
		}

		return unique
	},
}

func block(value interface{}, indent string) string {
	text := ""
	switch value := value.(type) {
	case map[string]interface{}:
		keys := []string{}
		for key := range value {
			keys = append(keys, key)
		}

		sort.Strings(keys)
		for _, key := range keys {
			text += indent + scalar(key) + ":" + below(value[key], indent)
		}
	case []interface{}:
		for _, one := range value {
			text += indent + "-" + below(one, indent)
		}
	default:
		return indent + scalar(value) + "\n"
	}

	return text
}

func below(value interface{}, indent string) string {
	switch inner := value.(type) {
	case map[string]interface{}:
		if len(inner) > 0 {
			return "\n" + block(inner, indent+"  ")
		}
	case []interface{}:
		if len(inner) > 0 {
			return "\n" + block(inner, indent+"  ")
		}
	}

	return " " + scalar(value) + "\n"
}

// JSON is YAML.
func scalar(value interface{}) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}

	return string(text)
}
