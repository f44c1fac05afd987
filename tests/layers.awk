# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whether each file of kmod/ stands above those that it includes and calls. For tests/style, which
# gives it all files, twice:
#
#	awk -f layers.awk FILE... FILE...
#
# The first time it learns which functions are defined where, the second time it looks at what is
# included and used. Prints what is wrong; the exit status says whether something is.

BEGIN {
	# From top to bottom; none of those in one line knows the others. Behind a name are the
	# prefixes of its functions, if there are more than that name.
	layer("main")
	layer("cdev")
	layer("debug recv release send transfer")
	layer("message:payload")
	layer("node:handle")
	layer("object:table")
	layer("peer")
	layer("queue acct")
	layer("tx")
	layer("ref")
	# for everybody, and know nobody
	layer("relax user compat")
	pass = 1
}

function layer(text,	names, parts, i, j, n)
{
	depth++
	for (i = split(text, names, " "); i > 0; i--) {
		n = split(names[i], parts, ":")
		level[parts[1]] = depth
		for (j = 1; j <= n; j++)
			home["b1_" parts[j] "_"] = parts[1]
	}
}

function wrong(text)
{
	print FILENAME ":" FNR ": " text
	n_wrong++
}

# Without comments, which may speak of anything.
function code_of(line,	at)
{
	if (in_comment) {
		if (!(at = index(line, "*/")))
			return ""
		line = substr(line, at + 2)
		in_comment = 0
	}
	sub(/\/\/.*/, "", line)
	gsub(/\/\*([^*]|\*[^\/])*\*\//, " ", line)
	if (at = index(line, "/*")) {
		line = substr(line, 1, at - 1)
		in_comment = 1
	}
	gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
	return line
}

# A definition begins without a tab, and its body with a brace on a line of its own.
function learn(line)
{
	if (line ~ /^[a-z]/ && match(line, /b1_[a-z0-9_]+\(/))
		candidate = substr(line, RSTART, RLENGTH - 1)
	if (line ~ /^\{/ && candidate) {
		defined[candidate] = file
		n_defined++
		match(candidate "_", /^b1_[a-z0-9]+_/)
		if (home[substr(candidate "_", 1, RLENGTH)] != file)
			wrong(candidate "() has the name of another file")
	}
	if (line ~ /;[ \t]*$/ || line ~ /^[{}]/)
		candidate = ""
}

function check_include(header)
{
	n_includes++
	sub(/\.h$/, "", header)
	if (header != file && (!(header in level) || level[header] <= level[file]))
		wrong(file " includes " header ", which is not below it")
}

function check_uses(line,	name, called)
{
	while (match(line, /[A-Za-z0-9_]+/)) {
		name = substr(line, RSTART, RLENGTH)
		called = substr(line, RSTART + RLENGTH, 1) == "("
		line = substr(line, RSTART + RLENGTH)
		if (name in defined) {
			n_uses += defined[name] != file
			if (defined[name] != file && level[defined[name]] <= level[file])
				wrong(file " uses " name "(), but " defined[name] " is not below it")
		} else if (called && name ~ /^b1_/) {
			wrong(name "() is defined nowhere")
		}
	}
}

FNR == 1 {
	file = FILENAME
	sub(/.*\//, "", file)
	if (FILENAME in seen)
		pass = 2
	seen[FILENAME] = 1
	sub(/\.[ch]$/, "", file)
	present[file] = 1
	in_comment = 0
	candidate = ""
	if (!(file in level))
		wrong("the file has no place in the order")
}

pass == 1 { learn(code_of($0)); next }
/^#[ \t]*include[ \t]*"/ { split($0, quoted, "\""); check_include(quoted[2]); next }
{ check_uses(code_of($0)) }

END {
	for (file in level) {
		if (!(file in present)) {
			print file " has a place in the order, but is not there"
			n_wrong++
		}
	}
	printf "%d functions, %d includes, %d uses of other files\n", n_defined, n_includes, n_uses
	exit n_wrong > 0 || !n_defined || !n_includes || !n_uses
}
