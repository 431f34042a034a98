# What follows needs sh, awk, cat, cp, mkdir, mkfifo, tail and tee, and assumes nothing else of the image.
set -eu
LC_ALL_BEFORE=${LC_ALL-}
WORK=${TMPDIR:-/tmp}/seatrial-job-$$
mkdir -p "$WORK/outputs" "$WORK/parameters"

# json KEY...: the JSON text of one part of the JSON on standard input; keys are JSON themselves. Fails if there is none.
json() {
    LC_ALL=C awk '
        function skip(i) { while (substr(s, i, 1) ~ /[ \t\r\n]/) i++; return i }
        function string_end(i,  c) {
            i++
            while ((c = substr(s, i, 1)) != "\"") { if (c == "") exit 2; i += (c == "\\") ? 2 : 1 }
            return i + 1
        }
        function value_end(i,  c, depth) {
            c = substr(s, i, 1)
            if (c == "\"") return string_end(i)
            if (c != "{" && c != "[") { while (substr(s, i, 1) ~ /[-+.0-9A-Za-z]/) i++; return i }
            depth = 0
            while (1) {
                c = substr(s, i, 1)
                if (c == "") exit 2
                if (c == "\"") { i = string_end(i); continue }
                if (c == "{" || c == "[") depth++
                if ((c == "}" || c == "]") && --depth == 0) return i + 1
                i++
            }
        }
        function inside(i, key,  c, start, n) {
            c = substr(s, i, 1)
            if (c != "{" && c != "[") return 0
            n = 0
            i = skip(i + 1)
            while (substr(s, i, 1) !~ /^[]}]$/) {
                if (c == "{") {
                    start = i
                    i = string_end(i)
                    k = substr(s, start, i - start)
                    i = skip(skip(i) + 1)
                } else k = n ""
                if (k == key) return i
                n++
                i = skip(value_end(i))
                if (substr(s, i, 1) == ",") i = skip(i + 1)
            }
            return 0
        }
        BEGIN { for (k = 1; k < ARGC; k++) path[k] = ARGV[k]; count = ARGC - 1; ARGC = 1 }
        { s = s $0 "\n" }
        END {
            i = skip(1)
            for (p = 1; p <= count; p++) { i = inside(i, path[p]); if (!i) exit 1 }
            printf "%s", substr(s, i, value_end(i) - i)
        }' "$@"
}

# text: a JSON value on standard input as text: a string without its quotes, anything else as it is.
text() {
    LC_ALL=C awk '
        function hex(t,  i, n) {
            n = 0
            for (i = 1; i <= 4; i++) n = n * 16 + index("0123456789abcdef", tolower(substr(t, i, 1))) - 1
            return n
        }
        function utf8(n) {
            if (n < 128) return sprintf("%c", n)
            if (n < 2048) return sprintf("%c%c", 192 + int(n / 64), 128 + n % 64)
            if (n < 65536) return sprintf("%c%c%c", 224 + int(n / 4096), 128 + int(n / 64) % 64, 128 + n % 64)
            return sprintf("%c%c%c%c", 240 + int(n / 262144), 128 + int(n / 4096) % 64, 128 + int(n / 64) % 64, 128 + n % 64)
        }
        { s = s (NR > 1 ? "\n" : "") $0 }
        END {
            if (substr(s, 1, 1) != "\"") { printf "%s", s; exit }
            for (i = 2; i < length(s); i++) {
                c = substr(s, i, 1)
                if (c != "\\") { printf "%s", c; continue }
                c = substr(s, ++i, 1)
                if (c == "n") c = "\n"
                else if (c == "t") c = "\t"
                else if (c == "r") c = "\r"
                else if (c == "b") c = "\b"
                else if (c == "f") c = "\f"
                else if (c == "u") {
                    n = hex(substr(s, i + 1, 4)); i += 4
                    if (n >= 55296 && n < 56320) { n = 65536 + (n - 55296) * 1024 + hex(substr(s, i + 3, 4)) - 56320; i += 6 }
                    c = utf8(n)
                }
                printf "%s", c
            }
        }'
}

# quoted TEXT: as a JSON string
quoted() {
    printf '%sx' "$1" | LC_ALL=C awk '
        BEGIN { for (i = 1; i < 32; i++) code[sprintf("%c", i)] = sprintf("\\u%04x", i) }
        { s = s (NR > 1 ? "\n" : "") $0 }
        END {
            for (i = 1; i < length(s); i++) {
                c = substr(s, i, 1)
                printf "%s", (c == "\\" || c == "\"") ? "\\" c : (c in code) ? code[c] : c
            }
        }' | { printf '"'; cat; printf '"'; }
}

# typed KIND TEXT: as JSON of the declared type
typed() {
    case $1 in
        STRING) quoted "$2" ;;
        BOOLEAN) case $2 in True | true | TRUE) printf true ;; *) printf false ;; esac ;;
        NUMBER_INTEGER) case $2 in *.0) printf %s "${2%.0}" ;; *) printf %s "$2" ;; esac ;;
        *) printf %s "$2" ;;
    esac
}

fail() {
    if [ -n "$FAILURE" ]; then
        mkdir -p "${FAILURE%/*}"
        printf '%s' "$1" | LC_ALL=C awk -v most="$MESSAGE_LIMIT" '
            { s = s (NR > 1 ? "\n" : "") $0 }
            END { if (length(s) > most) s = substr(s, 1, 200) "\n..." substr(s, length(s) - most + 210); printf "%s", s }' >"$FAILURE"
    fi
    printf '%s\n' "$1" >&2
    exit "${2:-1}"
}

has() { eval "[ \"\${$1+set}\" ]"; }
# a command substitution drops newlines at the end; the x keeps them
set_text() { SET_TEXT=$(printf '%s' "$2" | text; printf x); SET_TEXT=${SET_TEXT%x}; eval "$1=\$SET_TEXT"; }
set_raw() { # VARIABLE JSON; numbers that are whole have no point, as in every command of ours
    [ "$2" = null ] && return 0
    set_text "$1" "$2"
    case $2 in \"*) ;; -[0-9]*.0 | [0-9]*.0) eval "$1=\${$1%.0}" ;; esac
}
read_value() { if READ=$(json "$3" <"$2"); then set_raw "$1" "$READ"; fi; }
pick() { # VARIABLE KEY...: a part of the JSON text in a variable
    has "$1" || return 0
    eval "PICKED=\$$1"; PICK_INTO=$1; shift
    for key; do
        case $PICKED in \"*) set_text PICKED "$PICKED" ;; esac
        PICKED=$(printf '%s' "$PICKED" | json "$key") || fail "task '$TASK': a value has no part $key
The pipeline takes one part of a value.
Check what the task before it returns."
    done
    unset "$PICK_INTO"; set_raw "$PICK_INTO" "$PICKED"
}
give_raw() { VALUES="$VALUES${VALUES:+, }$1: $2"; }
give() { GIVEN=$(typed "$2" "$3"); give_raw "$1" "$GIVEN"; }
take() { # VARIABLE NAME TYPE FOLDER...: the first folder in which a job left something
    TAKE=$1 TAKE_NAME=$2 TAKE_TYPE=$3; shift 3
    for folder; do
        [ -e "$folder/artifact.json" ] || continue
        TAKE_METADATA=$(json 0 '"metadata"' <"$folder/artifact.json")
        if TAKE_URI=$(json 0 '"uri"' <"$folder/artifact.json"); then set_text TAKE_URI "$TAKE_URI"
        else TAKE_URI=$(json 0 '"path"' <"$folder/artifact.json"); set_text TAKE_URI "$TAKE_URI"; TAKE_URI=$folder/$TAKE_URI; fi
        eval "$TAKE=\$TAKE_URI ${TAKE}_METADATA=\$TAKE_METADATA"
        TAKE_RAW=$(json 0 '"name"' <"$folder/artifact.json"); set_text "${TAKE}_NAME" "$TAKE_RAW"
        TAKE_URI=$(quoted "$TAKE_URI")
        TAKE_RAW="{\"name\": $TAKE_RAW, \"uri\": $TAKE_URI, \"type\": $TAKE_TYPE, \"metadata\": $TAKE_METADATA}"
        ARTIFACTS="$ARTIFACTS${ARTIFACTS:+, }$TAKE_NAME: {\"artifacts\": [$TAKE_RAW]}"
        return 0
    done
    fail "task '$TASK': artifact $TAKE_NAME is not there
A job before this one should have written it.
Run the job before this one again."
}
run() {
    mkfifo "$WORK/pipe"
    tee "$WORK/log.txt" <"$WORK/pipe" &
    COPYING=$!
    if [ -n "$LC_ALL_BEFORE" ]; then export LC_ALL="$LC_ALL_BEFORE"; fi
    # before the task starts: a stop in between would end this shell and leave the task; until then $! is tee
    trap 'CHILD=$!; kill -TERM $CHILD 2>/dev/null || :; wait $CHILD || :; fail "task $TASK was stopped
The service or a person ended the job before it had.
Start it again." 143' TERM INT
    "$@" >"$WORK/pipe" 2>&1 </dev/null &
    CHILD=$!
    STATUS=0
    wait $CHILD || STATUS=$?
    trap - TERM INT
    wait $COPYING || :
    [ $STATUS -eq 0 ] || fail "task '$TASK' failed: exit code $STATUS
Its log ends with:
$(tail -n 20 "$WORK/log.txt")" $STATUS
    REPORT=$WORK/executor_output.json
    [ -s "$REPORT" ] || printf '{}' >"$REPORT"
}
begin_values() { KEPT=''; mkdir -p "${VALUES_FILE%/*}"; }
keep_value() { # NAME KEY KIND FILE
    if VALUE=$(json '"parameterValues"' "$2" <"$REPORT"); then :
    elif [ -e "$4" ]; then
        RAW_TEXT=$(cat "$4"; printf x)
        VALUE=$(typed "$3" "${RAW_TEXT%x}")
    else
        fail "task '$TASK' ended well, but it did not write parameter $2
The tasks behind it would run on values that are not there.
Write every declared output in the component."
    fi
    KEPT="$KEPT${KEPT:+, }$1: $VALUE"
}
end_values() { printf '{%s}\n' "$KEPT" >"$VALUES_FILE.partial"; mv "$VALUES_FILE.partial" "$VALUES_FILE"; }
keep_artifact() { # FOLDER NAME SCHEMA METADATA FILE
    KEEP_FOLDER=$1 KEEP_NAME=$2 KEEP_SCHEMA=$3 KEEP_METADATA=$4 KEEP_FILE=$5
    mkdir -p "$KEEP_FOLDER"
    KEEP_WHERE='"path": "0"'
    if KEEP=$(json '"artifacts"' "$KEEP_NAME" '"artifacts"' 0 <"$REPORT"); then
        if FOUND=$(printf '%s' "$KEEP" | json '"metadata"'); then KEEP_METADATA=$FOUND; fi
        if FOUND=$(printf '%s' "$KEEP" | json '"custom_path"') && [ "$FOUND" != null ] && [ "$FOUND" != '""' ]; then
            set_text KEEP_FILE "$FOUND"
        elif FOUND=$(printf '%s' "$KEEP" | json '"uri"'); then
            case $FOUND in
                \"file://* | \"/*) set_text KEEP_FILE "$FOUND"; KEEP_FILE=${KEEP_FILE#file://} ;;
                *://*) KEEP_WHERE="\"uri\": $FOUND" ;;
            esac
        fi
    fi
    if [ "$KEEP_WHERE" = '"path": "0"' ] && [ -e "$KEEP_FILE" ]; then cp -R "$KEEP_FILE" "$KEEP_FOLDER/0"; fi
    printf '[{"metadata": %s, "name": %s, %s, "schema": %s}]\n' \
        "$KEEP_METADATA" "$KEEP_NAME" "$KEEP_WHERE" "$KEEP_SCHEMA" >"$KEEP_FOLDER/artifact.json"
}
