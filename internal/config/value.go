package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// value computes an expression; what is wrong with it is told.
func (d *decoder) value(e hclsyntax.Expression) (cty.Value, bool) {
	if word := hcl.ExprAsKeyword(e); word != "" && word != "true" && word != "false" {
		d.add(d.origin(e.Range()), fmt.Sprintf("text stands in quotes: %q", clip(word)), "the word %s means nothing here", clip(word))
		return cty.NilVal, false
	}
	v, bad := e.Value(&hcl.EvalContext{Functions: map[string]function.Function{"env": d.envFunction()}})
	if bad.HasErrors() {
		d.diagnose(bad)
		return cty.NilVal, false
	}
	if !v.IsWhollyKnown() || v.IsNull() {
		d.add(d.origin(e.Range()), "leave the setting out to have its default", "there is no value")
		return cty.NilVal, false
	}
	return v, true
}

// envFunction is env(NAME) and env(NAME, DEFAULT).
func (d *decoder) envFunction() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.String},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.NilVal, fmt.Errorf("it takes a name and a default")
			}
			v, err := d.lookupEnv(args[0].AsString())
			if err != nil && len(args) == 2 {
				return args[1], nil
			}
			return cty.StringVal(v), err
		},
	})
}

// elements returns the parts of a list, or the one value that stands for it.
func elements(e hclsyntax.Expression) []hclsyntax.Expression {
	if list, ok := e.(*hclsyntax.TupleConsExpr); ok {
		return list.Exprs
	}
	return []hclsyntax.Expression{e}
}
