# The Content-Security-Policy of a page that holds its scripts and styles itself: nothing else runs or is loaded, but for
# data of the same origin. A hash names each of them (CSP Level 3, 8.4), so that no text of somebody else's runs.

# Of the bytes of `text`, as a source of the policy.
function(hash_source text out)
  string(SHA256 digits "${text}")
  string(APPEND digits 00) # three digits become two characters
  set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(encoded "")
  foreach(at RANGE 0 63 3)
    string(SUBSTRING ${digits} ${at} 3 three)
    math(EXPR high "0x${three} >> 6")
    math(EXPR low "0x${three} & 63")
    string(SUBSTRING ${alphabet} ${high} 1 first)
    string(SUBSTRING ${alphabet} ${low} 1 second)
    string(APPEND encoded ${first}${second})
  endforeach()
  string(SUBSTRING ${encoded} 0 43 encoded)
  set(${out} "'sha256-${encoded}='" PARENT_SCOPE)
endfunction()

# Of each element <tag> in `html`; the tag has no attributes.
function(hash_sources html tag out)
  set(sources "")
  string(FIND "${html}" "<${tag}>" at)
  while(NOT at EQUAL -1)
    string(LENGTH "<${tag}>" length)
    math(EXPR at "${at} + ${length}")
    string(SUBSTRING "${html}" ${at} -1 html)
    string(FIND "${html}" "</${tag}>" end)
    string(SUBSTRING "${html}" 0 ${end} text)
    hash_source("${text}" source)
    string(APPEND sources " ${source}")
    string(FIND "${html}" "<${tag}>" at)
  endwhile()
  set(${out} "${sources}" PARENT_SCOPE)
endfunction()

function(content_policy html out)
  hash_sources("${html}" script scripts)
  hash_sources("${html}" style styles)
  set(${out} "default-src 'none'; script-src${scripts}; style-src${styles}; connect-src 'self'; img-src data:; base-uri 'none'; \
form-action 'none'; frame-ancestors 'none'" PARENT_SCOPE)
endfunction()
