# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Reads what lcov has collected from the builds, and the file with the explanations; prints a table
# and what is wrong. For tests/coverage:
#
#	awk -f coverage.awk -v kmod=DIR explained BUILD.info... (names: vm.info, and any others)
#
# What is code, and what has branches, is what the user-space builds say, which are not optimized: in
# the kernel, compilers and macros add branches of their own, such as those of inlined functions. A
# line counts as executed if it was in any build. The outcomes of the branches in a line are only
# looked at within one build, as macros make different ones of the same source, and those of two
# builds cannot be told from each other: a line is complete if there is a build in which all outcomes
# were taken.

function trim(text)
{
	gsub(/[ \t]+/, " ", text)
	sub(/^ /, "", text)
	sub(/ $/, "", text)
	return text
}

# Left out are the checks of the kernel that are statements of their own: that they find nothing is
# what all tests see to.
function has_branches(file, line)
{
	return (file, line) in branches &&
		source[file, line] !~ /^(WARN_ON_ONCE|lockdep_assert_held) ?\(/
}

function problem(text)
{
	print "FAILED: " text
	n_problems++
}

# The explanations: a line that says what, and indented ones that say why.
function read_explanation(	fields)
{
	if (/^#/ || /^[ \t]*$/)
		return
	if (/^[ \t]/) {
		reason[last_key] = 1
		return
	}
	if (!match($0, /^(line|branch) [0-9]+ [a-z0-9_]+\.[ch] [a-z0-9_]+: /)) {
		problem("explanations: not understood: " $0)
		return
	}
	split(substr($0, 1, RLENGTH - 2), fields, " ")
	last_key = fields[1] " " fields[3] " " fields[4] " " trim(substr($0, RLENGTH + 1))
	if (last_key in explained)
		problem("explanations: twice: " $0)
	explained[last_key] = fields[2]
	header[last_key] = $0
}

# One file of one object, as some of the headers are in several
function end_of_section(	i)
{
	for (i in outcomes)
		groups[file, i] = groups[file, i] " " build ":" outcomes[i]
	for (i in taken)
		took[build, file, line_of[i], outcomes[line_of[i]], index_of[i]] += taken[i]
	delete outcomes
	delete taken
	delete line_of
	delete index_of
}

function read_info(	fields, key)
{
	split(substr($0, index($0, ":") + 1), fields, ",")
	if (/^SF:/) {
		file = substr($0, 4)
		sub(/.*\//, "", file)
		files[file] = 1
	} else if (/^DA:/) {
		if (world == "user")
			lines[file, fields[1]] = 1
		in_world[file, world] = 1
		in_build[file, build] = 1
		executed[file, fields[1]] += fields[2]
		executed_in[file, fields[1], world] += fields[2]
		known_in[file, fields[1], world] = 1
	} else if (/^BRDA:/) {
		# the number of a branch within its line: fields 2 and 3 are only unique together
		key = fields[1] "," outcomes[fields[1]] + 0
		line_of[key] = fields[1]
		index_of[key] = outcomes[fields[1]]++ + 0
		taken[key] += fields[4]
		if (world == "user")
			branches[file, fields[1]] = 1
	} else if (/^end_of_record/) {
		end_of_section()
	}
}

# The source, for its text and for which function a line is in
function read_source(file,	path, text, n, function_name)
{
	path = kmod "/" file
	while ((getline text < path) > 0) {
		n++
		source[file, n] = trim(text)
		if (text ~ /^[a-z].*\(/ && match(text, /[a-z0-9_]+\(/))
			function_name = substr(text, RSTART, RLENGTH - 1)
		functions[file, n] = function_name
	}
	close(path)
	length_of[file] = n
}

# The fewest outcomes that are missing in a build of one world. Sets n_outcomes, how many there are.
function missing_in(file, line, want,	n, i, j, list, part, m, best)
{
	n = split(groups[file, line], list, " ")
	best = -1
	n_outcomes = 0
	for (i = 1; i <= n; i++) {
		split(list[i], part, ":")
		if ((part[1] == "vm") != (want == "vm"))
			continue
		m = 0
		for (j = 0; j < part[2]; j++)
			m += !took[part[1], file, line, part[2], j]
		if (best < 0 || m < best || m == best && part[2] > n_outcomes) {
			best = m
			n_outcomes = part[2] + 0
		}
	}
	return best < 0 ? 0 : best
}

# The same for both: what counts is user space, unless all were taken in the kernel. The optimizer
# may have left less there than was written; then that is no proof.
function missing(file, line, want,	m, n)
{
	if (want != "both")
		return missing_in(file, line, want)
	m = missing_in(file, line, "vm")
	n = n_outcomes
	if (!m && n && n >= outcomes_in_user(file, line))
		return 0
	return missing_in(file, line, "user")
}

function outcomes_in_user(file, line)
{
	missing_in(file, line, "user")
	return n_outcomes
}

function add(what, file, want, n)
{
	sums[what, file, want] += n
	sums[what, "all", want] += n
}

function count(file, line,	i, want, m)
{
	for (i = 1; i <= 3; i++) {
		want = worlds[i]
		if (want == "both" || (file, line, want) in known_in) {
			add("lines", file, want, 1)
			add("executed", file, want, (want == "both" ? executed[file, line] : executed_in[file, line, want]) > 0)
		}
		if (!has_branches(file, line))
			continue
		m = missing(file, line, want)
		add("outcomes", file, want, n_outcomes)
		add("taken", file, want, n_outcomes - m)
	}
}

function found(kind, file, line, n,	key)
{
	key = kind " " file " " functions[file, line] " " source[file, line]
	if (!(key in n_found))
		order[++n_keys] = key
	n_found[key] += n
	where[key] = where[key] (where[key] ? ", " : "") line
	header_found[key] = file " " functions[file, line] ": " source[file, line]
}

function look_at(file, line,	m)
{
	if (!executed[file, line]) {
		found("line", file, line, 1)
		return
	}
	m = has_branches(file, line) ? missing(file, line, "both") : 0
	if (m)
		found("branch", file, line, m)
}

function percent(file, what, of, want)
{
	if (!sums[of, file, want])
		return "-"
	return sprintf("%d/%d %5.1f", sums[what, file, want], sums[of, file, want],
		       100 * sums[what, file, want] / sums[of, file, want])
}

function print_row(file,	i, row)
{
	row = sprintf("%-12s", file)
	for (i = 1; i <= 3; i++)
		row = row sprintf(" %16s", percent(file, "executed", "lines", worlds[i]))
	for (i = 1; i <= 3; i++)
		row = row sprintf(" %16s", percent(file, "taken", "outcomes", worlds[i]))
	print row
}

function judge(	i, key, kind)
{
	for (i = 1; i <= n_keys; i++) {
		key = order[i]
		kind = substr(key, 1, index(key, " ") - 1)
		if (key in explained && explained[key] == n_found[key]) {
			n_explained++
			continue
		}
		problem(sprintf("%s %d %s (line %s)", kind, n_found[key], header_found[key],
				where[key]))
		if (key in explained)
			print "        explained: " header[key]
	}
	for (key in explained) {
		if (!(key in n_found))
			problem("explained, but covered or gone: " header[key])
		if (!(key in reason))
			problem("explained without a reason: " header[key])
	}
}

BEGIN {
	split("user vm both", worlds, " ")
}

FNR == 1 {
	n_inputs++
	build = FILENAME
	sub(/.*\//, "", build)
	sub(/\.info$/, "", build)
	world = build == "vm" ? "vm" : "user"
}

n_inputs == 1 {
	read_explanation()
	next
}

{
	read_info()
}

END {
	printf "%-12s %50s %50s\n", "", "lines", "outcomes of branches"
	printf "%-12s", "file"
	for (i = 1; i <= 6; i++)
		printf " %16s", i % 3 == 1 ? "user space" : i % 3 == 2 ? "kernel" : "both"
	printf "\n"
	n_files = split(names, name, " ")
	for (i = 1; i <= n_files; i++) {
		file = name[i]
		if (file !~ /\.h$/ && !((file, "vm") in in_world && (file, "user") in in_world))
			problem(file ": no data, from user space or from the kernel")
		read_source(file)
		for (line = 1; line <= length_of[file]; line++) {
			if (!((file, line) in lines))
				continue
			count(file, line)
			look_at(file, line)
		}
		if (sums["lines", file, "both"])
			print_row(file)
	}
	print_row("all")
	print ""
	judge()
	printf "%d %d\n", n_files + n_explained, n_problems
}
