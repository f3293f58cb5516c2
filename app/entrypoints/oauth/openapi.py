"""What ``/oauth`` and SMART discovery say of themselves in the OpenAPI document."""

from typing import Any, Final

from app.services.clients.assertions import TYPE as ASSERTION_TYPE

_ERROR: Final = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error"],
                "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
            }
        }
    }
}
_STRINGS: Final = {"type": "array", "items": {"type": "string"}}
_SMART: Final[dict[str, Any]] = {
    "tags": ["Access"],
    "summary": "SMART discovery",
    "description": "Needs no token. https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html",
    "security": [],
    "responses": {
        "200": {
            "description": "Where a token is to be had, and how.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["token_endpoint", "grant_types_supported", "capabilities"],
                        "properties": {
                            "token_endpoint": {"type": "string", "format": "uri"},
                            "grant_types_supported": _STRINGS,
                            "token_endpoint_auth_methods_supported": _STRINGS,
                            "token_endpoint_auth_signing_alg_values_supported": _STRINGS,
                            "scopes_supported": _STRINGS,
                            "capabilities": _STRINGS,
                            "code_challenge_methods_supported": _STRINGS,
                        },
                    }
                }
            },
        }
    },
}

PATHS: Final[dict[str, dict[str, Any]]] = {
    "/oauth/token": {
        "post": {
            "tags": ["Access"],
            "operationId": "token",
            "summary": "Get a bearer token (client credentials)",
            "description": "The client authenticates by `private_key_jwt` (RS384 or ES384) or `client_secret_basic`. "
            "Without `scope` the token carries all that the client is registered for. RFC 6749 sections 2.3.1 and 4.4, "
            "https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html",
            "security": [{"client": []}, {}],
            "requestBody": {
                "required": True,
                "content": {
                    "application/x-www-form-urlencoded": {
                        "schema": {
                            "type": "object",
                            "required": ["grant_type"],
                            "properties": {
                                "grant_type": {"const": "client_credentials"},
                                "scope": {"type": "string", "description": "Separated by spaces."},
                                "client_assertion_type": {"const": ASSERTION_TYPE},
                                "client_assertion": {
                                    "type": "string",
                                    "description": "JWT with kid, and iss, sub (both the client id), aud (this URL), "
                                    "exp (at most five minutes ahead) and a new jti.",
                                },
                            },
                        },
                    }
                },
            },
            "responses": {
                "200": {
                    "description": "A token for five minutes.",
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["access_token", "token_type", "expires_in", "scope"],
                                "properties": {
                                    "access_token": {"type": "string"},
                                    "token_type": {"const": "bearer"},
                                    "expires_in": {"type": "integer", "description": "Seconds."},
                                    "scope": {"type": "string"},
                                },
                            },
                        }
                    },
                },
                "400": {"description": "invalid_request, unsupported_grant_type or invalid_scope.", **_ERROR},
                "401": {"description": "invalid_client.", **_ERROR},
                "429": {"description": "temporarily_unavailable: too many logins; see Retry-After.", **_ERROR},
            },
        }
    },
    "/.well-known/smart-configuration": {"get": {**_SMART, "operationId": "smartConfiguration"}},
    "/fhir/R4/.well-known/smart-configuration": {"get": {**_SMART, "operationId": "smartConfigurationOfFhir"}},
}
