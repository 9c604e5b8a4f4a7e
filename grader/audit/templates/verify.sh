#!/bin/sh
# Checks this folder; README.txt says what that proves. Needs sh with the usual tools, sha256sum and git.
# Usage: sh verify.sh [HASH]   HASH: as it was posted elsewhere at the deadline.
set -u
LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_NO_REPLACE_OBJECTS=1 GIT_TERMINAL_PROMPT=0
export LC_ALL GIT_CONFIG_NOSYSTEM GIT_CONFIG_GLOBAL GIT_NO_REPLACE_OBJECTS GIT_TERMINAL_PROMPT
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG_COUNT
cd "$(dirname -- "$0")" || exit 3
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
bad=0
plain() { tr -c '[:print:]\n' '?'; } # whoever wrote to this folder must not write to your terminal
broken() { printf 'BROKEN %s\n' "$*" | plain; bad=3; }
sha() { sha256sum < "$1" | cut -d' ' -f1; }

# 0. Nothing here is a link or a pipe: those would be read from elsewhere, or waited for.
odd=$(find . ! -type f ! -type d; find ledger -type d -name '[0-9]*.txt')
if [ -n "$odd" ]; then broken "no plain files, so nothing was checked: $odd"; exit 3; fi

# 1. The files are those that were exported.
if ! sha256sum -c SHA256SUMS > "$work/sums" 2>&1; then
  grep -v ': OK$' "$work/sums" | plain; broken "files differ from SHA256SUMS"
fi

# 2. The ledger: every round names the hash of the one before, and each hash was noted beside it.
n=0 head=0000000000000000000000000000000000000000000000000000000000000000 posted=
for page in ledger/[0-9]*.txt; do
  n=$((n + 1)) name=$(printf '%06d.txt' "$n")
  if [ "$page" != "ledger/$name" ]; then broken "round $n: expected $name, found $page"; break; fi
  case $(sed -n 1p "$page") in "round $n time "*) ;; *) broken "round $n: its first line is not its own" ;; esac
  [ "$(sed -n 2p "$page")" = "prev $head" ] || broken "round $n: does not follow round $((n - 1)): one was changed"
  head=$(sha "$page")
  [ "$(sed -n "${n}p" ledger/rounds.sha256)" = "$head  $name" ] || broken "round $n: differs from rounds.sha256"
  [ "$head" = "${1:-}" ] && posted=$n
done
[ "$(wc -l < ledger/rounds.sha256)" -eq "$n" ] || broken "round $((n + 1)): missing; rounds were cut off at the end"

# 3. The bundles: unpacking hashes every object anew; then every commit that the ledger names must be there.
count=0
for bundle in bundles/*.bundle; do
  [ -f "$bundle" ] || continue
  count=$((count + 1)) team=$(basename "$bundle" .bundle) GIT_DIR=$work/$count.git
  case $team in *[!A-Za-z0-9._-]*) broken "bundles/: a name that no team can have"; continue ;; esac
  git init -q --bare --template= "$GIT_DIR"
  export GIT_DIR
  if ! git bundle unbundle "$PWD/$bundle" > "$work/refs" 2> "$work/said"; then
    broken "bundle of $team: $(head -n 1 "$work/said")"; continue
  fi
  cut -d' ' -f1 "$work/refs" | sort -u > "$work/tips"
  git rev-list --objects --no-object-names --missing=print --stdin \
    < "$work/tips" > "$work/objects" 2> "$work/said" || broken "bundle of $team: $(head -n 1 "$work/said")"
  sed -n 's/^?//p' "$work/objects" | sort > "$work/missing"
  [ -f "bundles/$team.left-out.txt" ] && sort "bundles/$team.left-out.txt" > "$work/left" || : > "$work/left"
  [ -z "$(comm -23 "$work/missing" "$work/left")" ] || broken "bundle of $team: objects are missing"
  pattern=$(printf '%s' "$team" | sed 's/\./\\./g')
  sed -n "s/^$pattern refs\/[^ ]* \([0-9a-f]\{40\}\) [0-9]*\$/\1/p" ledger/[0-9]*.txt |
    sort -u | comm -23 - "$work/tips" | while read -r commit; do
      page=$(grep -l " $commit " ledger/[0-9]*.txt | head -n 1)
      grep -qsx "$commit" "bundles/$team.not-kept.txt" ||
        echo "$team: commit $commit, seen in $page, is not in its bundle"
    done > "$work/absent"
  [ -s "$work/absent" ] && broken "$(cat "$work/absent")"
  # 4. The commits that were decided on are there, dated as stated.
  grep "^$pattern " decisions.txt > "$work/decided"
  while read -r _ commit date decision _; do
    case $commit in -) continue ;; *[!0-9a-f]*) broken "decisions.txt: $team: no commit"; continue ;; esac
    if [ "$date" = missing ] && ! git cat-file -e "$commit" 2> "$work/said"; then
      echo "LOOK $team: decisions.txt names commit $commit, which nobody has any more"; continue
    fi
    if ! git cat-file commit "$commit" > "$work/commit" 2> "$work/said"; then
      broken "$team: $decision: $commit is not in its bundle"; continue
    fi
    found=$(sed -n '/^$/q; s/^committer .*> \([0-9]*\) [-+0-9]*$/\1/p' "$work/commit" | head -n 1)
    [ "$date" = - ] || [ "$found" = "$date" ] || broken "$team: $commit is dated '$found', not '$date'"
  done < "$work/decided"
done

# 5. No decision is about a commit that this folder does not show.
grep -v '^#' decisions.txt | while read -r team commit date _; do
  case $commit,$date in -,* | *,missing) continue ;; esac
  [ -f "bundles/$team.bundle" ] || printf '%s\n' "$team"
done > "$work/unshown"
[ -s "$work/unshown" ] && broken "decisions.txt: no bundle of $(cat "$work/unshown")"

# 6. Push records are the files whose hashes the ledger noted last; older ledgers noted none.
sed -n 's/^@noted \(push_records\/[A-Za-z0-9._-]*\.json\) \([0-9a-f]\{64\}\) [0-9]*$/\1 \2/p' ledger/[0-9]*.txt > "$work/noted"
cut -d' ' -f1 "$work/noted" | sort -u | while read -r file; do
  team=$(basename "$file" .json)
  if [ ! -f "$file" ]; then
    [ ! -f "bundles/$team.bundle" ] || echo "$file: is missing, though the ledger noted it"; continue
  fi
  pattern=$(printf '%s' "$file" | sed 's/\./\\./g')
  [ "$(sha "$file")" = "$(grep "^$pattern " "$work/noted" | sed -n '$s/.* //p')" ] ||
    echo "$file: is not the file that the ledger noted"
done > "$work/records"
[ -s "$work/records" ] && broken "$(cat "$work/records")"

echo "rounds: $n, head $head; bundles: $count"
if [ -n "$posted" ]; then
  echo "the posted hash was the head at round $posted: rounds 1 to $posted are as they were then"
elif [ -n "${1:-}" ]; then broken "no round has the posted hash $1"
else echo "compare a hash that was posted at the deadline: sh verify.sh HASH"; fi
[ "$bad" -eq 0 ] && echo "all of it holds"
exit "$bad"
