"""The templates as CloudFormation gets them, and as much of them as moto's CloudFormation makes."""

import copy
import ipaddress
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

from tests.support import ROOT

# moto 5.2 makes none of these; everything else of the two templates it makes.
LEFT_OUT = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CertificateManager::Certificate",
    "AWS::CloudFront::CachePolicy",
    "AWS::CloudFront::Distribution",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudFront::OriginRequestPolicy",
    "AWS::CloudFront::ResponseHeadersPolicy",
    "AWS::CloudWatch::Alarm",
    "AWS::EKS::AccessEntry",
    "AWS::EKS::Addon",
    "AWS::EKS::Cluster",
    "AWS::EKS::Nodegroup",
    "AWS::EKS::PodIdentityAssociation",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::Delivery",
    "AWS::Logs::DeliveryDestination",
    "AWS::Logs::DeliverySource",
    "AWS::S3::BucketPolicy",
}
Template = dict[str, Any]


class _NoManagedPolicies:
    """The translator asks for AWS's own policies by name; the templates name none."""

    def load(self) -> dict[str, str]:
        return {}


def translated(
    name: str, code: str = "s3://artifacts/package.zip", change: Callable[[Template], None] | None = None
) -> Template:
    """Return a template after the SAM translator, which `sam deploy` leaves to CloudFormation. `change` it before."""
    template: Template = yaml_parse((ROOT / name).read_text())
    if change:
        change(template)
    if "Transform" not in template:
        return template
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = code
    done: Template = transform(template, {"AWS::Region": "us-east-1"}, _NoManagedPolicies())
    return done


def for_moto(template: Template, attributes: Mapping[str, str] | None = None, unmet: Collection[str] = ()) -> Template:
    """Return what moto makes of a template: without LEFT_OUT, and a global table as the table it is in us-east-1.

    Args:
        template: see `translated`.
        attributes: what stands for an attribute of something left out, by `Name.Attribute`.
        unmet: conditions that do not hold; moto leaves a None where AWS::NoValue is an item of a list.
    """
    template = copy.deepcopy(template)
    resources = template["Resources"]
    gone = {name for name, resource in resources.items() if resource["Type"] in LEFT_OUT}
    for name in gone:
        del resources[name]
    for resource in resources.values():
        if resource["Type"] == "AWS::DynamoDB::GlobalTable":
            resource["Type"] = "AWS::DynamoDB::Table"
            del resource["Properties"]["Replicas"]
        depends = resource.pop("DependsOn", [])
        left = [name for name in ([depends] if isinstance(depends, str) else depends) if name not in gone]
        if left:
            resource["DependsOn"] = left
    template["Outputs"] = {
        name: output for name, output in template["Outputs"].items() if not set(_references(output)) & gone
    }
    template.pop("Rules", None)
    without: Template = _Replacing(gone, attributes or {}, unmet).of(template)
    return without


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, argument in value.items():
            if name == "Ref":
                yield argument
            elif name == "Fn::GetAtt":
                yield argument[0]
            elif name == "Fn::Sub":
                text = argument if isinstance(argument, str) else argument[0]
                yield from (part.partition("}")[0].partition(".")[0] for part in text.split("${")[1:])
            yield from _references(argument)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


class _Replacing:
    """Puts something in the place of everything that moto does not know."""

    def __init__(self, gone: set[str], attributes: Mapping[str, str], unmet: Collection[str]) -> None:
        self._gone = gone
        self._attributes = attributes
        self._unmet = unmet

    def of(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.of(item) for item in value if not self._is_nothing(item)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in ("Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Cidr"):
                return self._call(name, argument)
        return {name: self.of(item) for name, item in value.items()}

    def _is_nothing(self, item: Any) -> bool:
        condition = item.get("Fn::If") if isinstance(item, dict) else None
        return bool(condition and condition[0] in self._unmet and condition[2] == {"Ref": "AWS::NoValue"})

    def _call(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return f"left-out-{argument}" if argument in self._gone else {name: argument}
        if name == "Fn::GetAtt":
            left = f"left-out-{argument[0]}"
            return self._attributes.get(".".join(argument), left) if argument[0] in self._gone else {name: argument}
        if name == "Fn::Cidr":  # of the network that is the parameter's default
            network = ipaddress.ip_network("10.0.0.0/16")
            return [str(part) for part in network.subnets(new_prefix=32 - argument[2])][: argument[1]]
        text, *values = [argument] if isinstance(argument, str) else argument
        for left in self._gone:
            text = text.replace(f"${{{left}}}", f"left-out-{left}")
        return {name: [text, self.of(values[0])] if values else text}
