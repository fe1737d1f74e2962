#include "proxy/tls/ocsp.hpp"

#include <openssl/err.h>

#include "proxy/tls/openssl.hpp"

namespace tls {

namespace {

/// A response without an end is used for so long.
constexpr auto kWithoutEnd = std::chrono::hours(24);

/// The part of the response about this certificate; null if there is none.
OCSP_SINGLERESP* find(OCSP_BASICRESP* basic, const X509* leaf, const X509* issuer) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* const each = OCSP_resp_get0(basic, i);
    const OCSP_CERTID* const id = OCSP_SINGLERESP_get0_id(each);
    ASN1_OBJECT* digest = nullptr;
    ASN1_INTEGER* serial = nullptr;
    OCSP_id_get0_info(nullptr, &digest, nullptr, &serial, const_cast<OCSP_CERTID*>(id));
    if (!issuer && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0) return each;
    const OcspId own(issuer ? OCSP_cert_to_id(EVP_get_digestbyobj(digest), leaf, issuer) : nullptr);
    if (own && OCSP_id_cmp(own.get(), id) == 0) return each;
  }
  return nullptr;
}

}  // namespace

std::string check_ocsp(const std::string& der, const X509* leaf, const X509* issuer, WallTime now, WallTime& expires) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const OcspResponse response(d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!response) return "is no OCSP response in DER";
  const int status = OCSP_response_status(response.get());
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return std::string("is a refusal of the responder: ") + OCSP_response_status_str(status);
  }
  const OcspBasic basic(OCSP_response_get1_basic(response.get()));
  OCSP_SINGLERESP* const single = basic ? find(basic.get(), leaf, issuer) : nullptr;
  ERR_clear_error();
  if (!single) return "is about another certificate";
  ASN1_GENERALIZEDTIME *from = nullptr, *to = nullptr;
  const int verdict = OCSP_single_get0_status(single, nullptr, nullptr, &from, &to);
  if (verdict != V_OCSP_CERTSTATUS_GOOD) {
    return std::string("calls the certificate ") + OCSP_cert_status_str(verdict);
  }
  expires = to ? to_time(to) : to_time(from) + kWithoutEnd;
  if (to_time(from) > now) return "is not valid before " + to_text(to_time(from));
  if (expires <= now) return "has expired at " + to_text(expires);
  return {};
}

}  // namespace tls
