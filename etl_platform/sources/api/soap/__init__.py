"""Operations of SOAP services, as their WSDL describes them (zeep reads it)."""
